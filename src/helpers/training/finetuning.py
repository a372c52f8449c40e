"""How does a trained model learn a task from labelled texts? A head on its mean state, and five ways to train.

The head reads the average, not the last token's state as `AutoModelForSequenceClassification` takes it from a causal
model: in trials here, 1,024 labels taught a model to see shuffled words at 77% with the average and at 56% with the
last token. It fits encoders and decoders, with or without a pad token.

Left out: tuning for each task and size. Rates and epochs were chosen once for each arm, on one draw of labels.
"""

import copy
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector
from transformers import PreTrainedModel, PreTrainedTokenizerFast, TrainingArguments

from helpers import files, models
from helpers.pretrained import load_backbone
from helpers.tokenization import encode_documents
from helpers.training.optimizers import Muon, parameter_groups
from helpers.training.trainer import MuonTrainer, TrainingLog, training_arguments

SCRATCH, FROZEN, LAST, LORA, FULL = "scratch", "frozen", "last block", "LoRA", "full"
ARMS = {
    SCRATCH: "random weights instead of the trained ones; all are trained",
    FROZEN: "no weight of the model is trained; a logistic regression reads its states",
    LAST: "the last block is trained, and the head",
    LORA: "small matrices beside each matrix are trained, and the head (Hu et al. 2022)",
    FULL: "all weights are trained",
}
"""The ways to train, and what each means."""
HEAD = "head.safetensors"
"""The file of a saved classifier that transformers does not know."""

PENALTY = 0.1
"""Of the logistic regression on frozen states: the inverse strength, scikit-learn's C."""

BATCH = 32
"""Texts of an optimizer step."""

FEWEST_STEPS = 30
"""Of a training, however few labels there are."""

RANK = 8
"""Of LoRA's matrices."""


RECIPES = {
    SCRATCH: (8, (0.02, 0.01)),
    LAST: (4, (0.02, 0.002)),
    LORA: (4, (0.01, 0.003)),
    FULL: (4, (0.02, 0.001)),
}
"""Epochs of an arm (more of them for less than `FEWEST_STEPS`), and rates as for `MuonTrainer`."""

GENTLE = {SCRATCH: RECIPES[SCRATCH], LAST: (4, (0.0, 1e-4)), LORA: (4, (0.0, 1e-3)), FULL: (4, (0.0, 5e-5))}
"""The same for a trained model that is not ours: Adam steps all, in steps that are usual for it (Hu et al. 2022).

LoRA's rate is from a trial with SmolLM2 on modules of the training part: 256 labels taught it to see shuffled words at
89%, and at 80% with 3e-4.
"""

HEAD_RATE = 1e-3
"""The rate of the head beside those: it is new, and begins at zero."""


class Classifier(torch.nn.Module):
    """A backbone and a linear layer on the mean of its last states.

    The head begins at zero: before training every label has the same probability. `labels` are the classes' names.
    """

    def __init__(self, backbone: PreTrainedModel, labels: Sequence[str]) -> None:
        super().__init__()
        self.backbone, self.labels = backbone, tuple(labels)
        self.head = torch.nn.Linear(models.state_width(backbone), len(labels))
        torch.nn.init.zeros_(self.head.weight)
        torch.nn.init.zeros_(self.head.bias)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Returns `logits`, (rows, classes), and, given `labels`, (rows,), the mean `loss` in nats."""
        last = models.states(self.backbone, input_ids, attention_mask)[-1]  # (rows, tokens, width)
        logits = self.head(models.mean_of(last.float(), attention_mask))
        return {"logits": logits} if labels is None else {"loss": cross_entropy(logits, labels), "logits": logits}

    def get_output_embeddings(self) -> torch.nn.Linear:
        """Returns what transformers calls the output layer: the head."""
        return self.head


def encode_texts(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], backbone: PreTrainedModel
) -> list[list[int]]:
    """Encodes texts for a backbone, each cut to what it can read; refuses one without a token."""
    most = models.context_length(backbone) - 2  # RoBERTa keeps two for itself
    rows = [ids[:most] for ids in encode_documents(tokenizer, texts)]
    if [] in rows:
        raise files.WorkbookError(f"text {rows.index([]) + 1} of {len(rows)} has no token: it is empty. Leave it out.")
    return rows


def prepare(backbone: PreTrainedModel, arm: str, seed: int, first: int = 0) -> PreTrainedModel:
    """Returns a copy of a backbone in which the weights of one of `ARMS` can be trained, new ones by the seed.

    LoRA's matrices stand in the blocks from the `first` on.
    """
    if arm == LORA:
        return cast("PreTrainedModel", models.with_adapters(backbone, RANK, seed, first))  # it wraps and forwards
    model = models.untrained(backbone, seed) if arm == SCRATCH else copy.deepcopy(backbone)
    model.requires_grad_(arm in (SCRATCH, FULL))
    if arm == LAST:
        models.blocks(model)[-1].requires_grad_(True)
    return model


def finetune_classifier(
    backbone: PreTrainedModel,
    rows: Sequence[Sequence[int]],
    classes: Sequence[int] | np.ndarray,
    labels: Sequence[str],
    arm: str,
    seed: int,
    inner: np.ndarray | None = None,
    first: int = 0,
) -> tuple[Classifier, TrainingLog]:
    """Fine-tunes a copy of a backbone on labelled texts, in one of `ARMS`; the classifier is then in evaluation mode.

    The rows are what `encode_texts` gives; `classes` are the places of their labels in `labels`; `inner` are, for
    `FROZEN`, the `mean_states` of the rows after the last layer, where they are at hand; `first` is as for `prepare`.
    """
    start = time.perf_counter()
    classifier = Classifier(prepare(backbone, arm, seed, first), labels).to(models.device())
    if arm == FROZEN:
        batches, state_bytes = [{"rows": rows}], 0
        if inner is None:
            inner = models.mean_states(classifier.backbone, rows)[-1]
        weight, bias = fit_linear(inner, classes)
        classifier.head.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
        trained = sum(parameter.numel() for parameter in classifier.eval().head.parameters())
    else:
        epochs, rates = (RECIPES if models.is_own(backbone.config) else GENTLE)[arm]
        batches = plan(rows, classes, epochs, seed)
        dtype = models.fast_dtype_for(backbone) if arm == LORA else torch.float32
        with models.frozen_in(classifier.backbone, dtype):
            trained, state_bytes = _train(classifier, batches, rates, seed)
    steps, seconds = 0 if arm == FROZEN else len(batches), time.perf_counter() - start
    tokens = sum(len(row) for batch in batches for row in batch["rows"])
    return classifier, TrainingLog(steps, tokens, seconds, trained=trained, state_bytes=state_bytes)


class ClassifierTrainer(MuonTrainer):
    """Takes a batch in parts, as large as memory allows, whose gradients add up to the whole batch's."""

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Gives the head a rate of its own where the rates are `GENTLE`."""
        if self.optimizer is None and not self.rates[0]:
            classifier = cast("Classifier", self.model)
            head = {"params": list(classifier.head.parameters()), "lr": HEAD_RATE, "orthogonal": False}
            self.optimizer = Muon([*parameter_groups(classifier.backbone, *self.rates), head])
        return super().create_optimizer(model)

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Returns the mean loss of the batch, and adds its gradient."""
        model.train()
        batch = self._prepare_inputs(inputs)
        rows, tokens = batch["input_ids"].shape
        size = max(1, most_tokens(cast("Classifier", self.model).backbone) // tokens)
        losses = []
        for at in range(0, rows, size):
            part = {name: values[at : at + size] for name, values in batch.items()}
            losses.append(model(**part)["loss"] * (len(part["labels"]) / rows))
            self.accelerator.backward(losses[-1])
        return torch.stack([loss.detach() for loss in losses]).sum()


def most_tokens(backbone: PreTrainedModel) -> int:
    """Returns how many tokens a training can read at once in one gigabyte, at some forty states in each layer."""
    text = backbone.config.get_text_config()
    return models.batch_tokens(40 * text.num_hidden_layers * text.hidden_size // 4)


def _train(
    classifier: Classifier, batches: list[dict[str, Any]], rates: tuple[float, float], seed: int
) -> tuple[int, int]:
    """Trains in place; returns how many parameters moved, and the bytes kept beside them."""
    with tempfile.TemporaryDirectory() as scratch:
        one = {"per_device_train_batch_size": 1}  # of the batches that `plan` has made
        arguments = training_arguments(TrainingArguments, scratch, len(batches), rates[1], 0.1, seed, **one)
        trainer = ClassifierTrainer(classifier, arguments, _collate, batches, rates=rates)
        trainer.run()
    assert trainer.optimizer is not None
    state = trainer.optimizer.state  # not of all that might have moved: BERT's pooler, for one, is never asked
    tensors = [*state, *(value for of in state.values() for value in of.values())]  # a gradient for each, and notes
    trained = sum(parameter.numel() for parameter in state)
    return trained, sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _collate(chosen: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    input_ids, mask = models.padded(chosen[0]["rows"], torch.device("cpu"))
    return {"input_ids": input_ids, "attention_mask": mask, "labels": torch.tensor(chosen[0]["classes"])}


def plan(
    rows: Sequence[Sequence[int]], classes: Sequence[int] | np.ndarray, epochs: int, seed: int
) -> list[dict[str, Any]]:
    """Returns the batches of a whole training, in order: texts of like length together, with little padding.

    Every text is read once an epoch; the epochs, and the batches of each, are in random order.
    """
    rng = np.random.default_rng(seed)
    batches: list[dict[str, Any]] = []
    passes = max(epochs, -(-FEWEST_STEPS * BATCH // len(rows)))
    for _ in range(passes):
        order = rng.permutation(len(rows))
        chunks = [order[at : at + 16 * BATCH] for at in range(0, len(order), 16 * BATCH)]
        alike = [place for chunk in chunks for place in sorted(chunk, key=lambda place: len(rows[place]))]
        cut = [alike[at : at + BATCH] for at in range(0, len(alike), BATCH)]
        batches += [
            {"rows": [rows[place] for place in cut[i]], "classes": [int(classes[place]) for place in cut[i]]}
            for i in rng.permutation(len(cut))
        ]
    return batches


def fit_linear(inner: np.ndarray, classes: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fits a logistic regression to standardised states, (rows, width), of which every class has some.

    Returns weights, (classes, width), and biases, (classes,), for the states as they are.
    """
    from sklearn.linear_model import LogisticRegression

    mean, spread = inner.mean(0), inner.std(0) + 1e-6
    found = LogisticRegression(C=PENALTY, max_iter=1000).fit((inner - mean) / spread, classes)
    weight, bias = found.coef_ / spread, found.intercept_
    if len(weight) == 1:  # of two classes, for the second against the first
        weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
    return weight, bias - weight @ mean


def predict(classifier: Classifier, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Returns the probability of each label for each text, (rows, classes)."""
    found = np.zeros((len(rows), len(classifier.labels)))
    with torch.inference_mode():
        for batch in models.in_batches(rows):
            input_ids, mask = models.padded([rows[row] for row in batch], next(classifier.parameters()).device)
            found[batch] = classifier(input_ids, mask)["logits"].float().softmax(1).cpu().numpy()
    return found


def merge(classifier: Classifier) -> Classifier:
    """Returns a classifier whose LoRA matrices are added into the weights beside which they stood; others unchanged."""
    if not hasattr(classifier.backbone, "merge_and_unload"):
        return classifier
    merged = copy.deepcopy(classifier)
    merged.backbone = merged.backbone.merge_and_unload()  # type: ignore[operator]
    return merged


def save_classifier(classifier: Classifier, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Saves a folder whose config.json has the labels, whose backbone `AutoModel` opens, and a `head.safetensors`."""
    from safetensors.torch import save_file

    whole = merge(classifier)
    whole.backbone.config.id2label = dict(enumerate(whole.labels))
    whole.backbone.config.label2id = {label: i for i, label in enumerate(whole.labels)}
    with files.replacing(folder) as partial:
        whole.backbone.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        save_file({name: tensor.contiguous() for name, tensor in whole.head.state_dict().items()}, partial / HEAD)


def load_classifier(folder: Path) -> tuple[Classifier, PreTrainedTokenizerFast]:
    """Loads what `save_classifier` saved, in evaluation mode, with its tokenizer; refuses other folders."""
    from safetensors.torch import load_file

    if not (folder / HEAD).exists():
        raise files.at(folder, f"there is no {HEAD}", "Give a folder that `save_classifier` wrote.")
    backbone, tokenizer = load_backbone(folder)
    named: Any = backbone.config.id2label  # by number
    classifier = Classifier(backbone, [named[i] for i in range(len(named))])
    classifier.head.load_state_dict(load_file(folder / HEAD))
    return classifier.eval(), tokenizer


def as_language_model(classifier: Classifier, original: PreTrainedModel) -> PreTrainedModel:
    """Returns what is left of the language model that a classifier was: its backbone with the original output layer."""
    model = copy.deepcopy(original)
    backbone: torch.nn.Module = copy.deepcopy(merge(classifier).backbone)
    setattr(model, model.base_model_prefix, backbone.to(original.device))
    model.tie_weights()  # ours shares one table for reading and writing
    return model.eval()


def moved(classifier: Classifier, backbone: PreTrainedModel) -> dict[str, float]:
    """Returns, for `embeddings` and each block from `block 1` on, the norm of the weights' change over that before."""

    def vectors(model: PreTrainedModel) -> dict[str, torch.Tensor]:
        tables = [module.weight for module in model.modules() if isinstance(module, torch.nn.Embedding)]
        of_blocks = {f"block {number}": block.parameters() for number, block in enumerate(models.blocks(model), 1)}
        parts = {"embeddings": tables} | of_blocks
        return {name: parameters_to_vector(part).detach().cpu() for name, part in parts.items()}

    before, after = vectors(backbone), vectors(merge(classifier).backbone)
    return {name: float((after[name] - old).double().norm() / old.double().norm()) for name, old in before.items()}
