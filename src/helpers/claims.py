"""What do people say about language models? The claims that the workbook tests, and the chapter that tests each."""

from typing import NamedTuple


class Claim(NamedTuple):
    """A claim made about ChatGPT-like models, in a sentence, and the number of the chapter that tests it."""

    text: str
    chapter: str


CLAIMS = {
    "C1": Claim("Pretraining on raw text teaches structure, grammar, context and knowledge of the world.", "01"),
    "C2": Claim("Such a model is pretrained by hiding words and guessing them.", "01"),
    "C3": Claim("The parts inside can be told apart by what they do for the text, and make it read as human.", "02"),
    "C4": Claim("A pretrained start makes a new task quick and cheap to learn.", "03"),
    "C5": Claim(
        "Fine-tuning on demonstrations turns one model to answering, translating, writing, code and support.", "04"
    ),
    "C6": Claim("Custom instructions steer the model.", "04"),
    "C7": Claim("Learning from good and bad answers makes the model safer and easier to manage.", "05"),
    "C8": Claim("The quality and the quantity of the training data decide what comes out.", "06"),
    "C9": Claim("Compression keeps the ability and gains speed.", "07"),
    "C10": Claim("GPUs and parallel hardware make training and inference fast.", "07"),
    "C11": Claim("The model has limits: it invents, forgets, memorises, cannot reverse, is over-confident.", "08"),
    "C12": Claim("The model takes up the biases of its data, and they can be reduced.", "09"),
    "C13": Claim("What the model is fit for in practice, at what cost and with which warnings, can be said.", "10"),
}
