"""A reader must be told right from wrong, and the answer only when it is right."""

import json
import math
from collections import Counter
from itertools import pairwise

import pytest

from helpers import exercises, files
from helpers.evaluation.learning_curves import labels_needed
from helpers.exercises import check
from helpers.imports import data_of
from helpers.training.finetuning import RANK


@pytest.mark.parametrize(
    ("answer", "said"),
    [(None, "No answer yet"), (20.05, "Right: 20"), (25, "too high"), (3, "too low")],
)
def test_each_answer_gets_its_word(capsys, answer, said):
    check("01.1", answer)
    out = capsys.readouterr().out
    assert said in out
    assert ("20." in out or "20\n" in out) == (said.startswith("Right"))


def toy():
    """The toy text of chapter 01."""
    notebook = json.loads((files.NOTEBOOKS / "01_pretraining.ipynb").read_text(encoding="utf-8"))
    (cell,) = ("".join(cell["source"]) for cell in notebook["cells"] if cell.get("id") == "toy-text")
    names = {}
    exec("\n".join(line for line in cell.splitlines() if line.startswith(("greetings", "toy"))), names)
    return names["toy"]


def bits_of(words):
    """What a reader with one word of memory pays for all words but the first, by counting."""
    before, pairs = Counter(words[:-1]), Counter(pairwise(words))
    return -sum(n * math.log2(n / before[word]) for (word, _), n in pairs.items())


def test_what_is_right_follows_from_the_chapters():
    derived = {
        "01.1": bits_of(toy()),
        "01.2": 0.5 * 0.5,
        "01.3": 0.13 - 4.303 * 0.03 / 3**0.5,
        "03.1": labels_needed({64: 0.60, 256: 0.70}, 0.65),
        "03.2": (128 * RANK + RANK * 352) / (128 * 352),
        "03.3": 0.25 + 0.75 / 8,
        "04.1": 10 / 39,
        "04.2": 0.25 + 0.75 * 0.6,
        "09.1": math.log(0.95 / 0.05),
        "09.2": sum(probability > 0.5 for probability in [0.55] * 100) / 100,
        "09.3": 55.6 - 54.6,
    }
    right = {exercise: correct for exercise, (correct, _) in data_of(exercises.__name__).items()}
    assert right == pytest.approx(derived, rel=1e-3)
