"""How does a model learn from demonstrations? TRL's trainer, a loss on the answers alone, rows that keep to themselves.

Each conversation is encoded by the tokenizer's chat template; targets are what the assistant says, and the token that
ends it. Short conversations are packed together into rows (by TRL, best fit first); `position_ids` that start again at
0 keep each from seeing the others, as in pretraining. Text to be replayed is in rows of its own, all of it targets.
Some types of models, such as OPT, Bloom and Mamba, do not heed that (see `keeps_apart`): they get each row alone.

Of TRL's `SFTTrainer` the loss is replaced: TRL measures the entropy of every guess too, which nobody reads here and
which takes half of the time of a small model.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from accelerate.utils import is_peft_model
from datasets import Dataset, concatenate_datasets, utils
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer
from trl.data_utils import pack_dataset
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from helpers import files
from helpers.models import context_length, device, fast_dtype_for, frozen_in, quiet
from helpers.progress import Progress
from helpers.tokenization import IGNORED, RolesRefused, encode_conversation, encode_documents
from helpers.training.frozen import above_frozen
from helpers.training.trainer import Monitor, MuonTrainer, TrainingLog, training_arguments


@dataclass(frozen=True)
class Recipe:
    """How a model is trained on demonstrations: rates as for `MuonTrainer`; tokens of a step, padding included."""

    epochs: int = 4
    rates: tuple[float, float] = (0.02, 0.015)
    batch_tokens: int = 1024


RECIPE = Recipe()
"""For all weights. It was chosen on another town, `seed=1`, with its own base model: no question of the test's."""

ADAPTERS = Recipe(rates=(0.03, 0.01))
"""For LoRA."""

GENTLE_WIDTH, GENTLE_RATE = 576, 2e-3
"""SmolLM2's width, and the rate of LoRA in the upper half of its layers. In a trial on 100 conversations, read twice,
60 held-out answers cost 1.36 bits a token after it, and 1.50 after half the rate (1.38, with LoRA in all layers). Twice
the rate gave 1.32; it was not taken, because other trainings are longer."""


def gentle(model: PreTrainedModel | PeftModel, epochs: int = Recipe.epochs) -> Recipe:
    """Returns the recipe for LoRA beside a model that is not ours: Adam steps all.

    The rate falls with the width, as it should for whole matrices (Yang et al. 2022, "Tensor Programs V", table 3); for
    LoRA's that was not tried. Steps are so small that a few hundred conversations give a hundred of them.
    """
    width = model.config.get_text_config().hidden_size
    return Recipe(epochs, (0.0, GENTLE_RATE * GENTLE_WIDTH / width), batch_tokens=512)


class EncodedRow(NamedTuple):
    """A conversation or a text as a model reads it; labels are not shifted, and `IGNORED` where nothing is asked."""

    input_ids: list[int]
    labels: list[int]


def encode_conversations(
    tokenizer: PreTrainedTokenizerFast, conversations: Sequence[Sequence[Mapping[str, str]]], context: int
) -> list[EncodedRow]:
    """Encodes conversations for training; those longer than the context, or refused by the template, are left out.

    To cut one would teach a model to stop in the middle, or to answer what it cannot see. `kinds.checkup` says
    beforehand how many there are. The tokenizer has a chat template (see `tokenization.with_chat_template`).
    """
    rows, refused = [], None
    for messages in conversations:
        try:
            ids, said = encode_conversation(tokenizer, messages)
        except RolesRefused as error:
            refused = error
            continue
        if len(ids) <= context:
            rows.append(EncodedRow(ids, [token if mine else IGNORED for token, mine in zip(ids, said, strict=True)]))
    if not rows and refused:
        raise refused
    if not rows:
        raise files.WorkbookError(
            f"None of {len(conversations):,} conversations fits into {context} tokens. "
            "Shorten them, or take a model with a longer context."
        )
    return rows


def encode_replay(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], tokens: int, context: int, seed: int
) -> list[EncodedRow]:
    """Encodes some of the texts that a model was pretrained on, drawn by the seed, for it to read again.

    They have about so many tokens in all, fewer if there is no more text. A text longer than the context is divided.
    """
    rows: list[EncodedRow] = []
    read = 0
    for place in np.random.default_rng(seed).permutation(len(texts)):
        if read >= tokens:
            break
        ids = encode_documents(tokenizer, [texts[place]])[0]
        rows += [EncodedRow(ids[at : at + context], ids[at : at + context]) for at in range(0, len(ids), context)]
        read += len(ids)
    return rows


@torch.no_grad()
def keeps_apart(model: PreTrainedModel | PeftModel) -> bool:
    """Returns whether a causal model reads the texts in a row, told apart by `position_ids`, as if each were alone.

    Found out by trying: which types of models do, no configuration says.
    """
    was_training = model.training
    vocabulary = cast("torch.nn.Embedding", model.get_input_embeddings()).num_embeddings
    some, others = torch.arange(16).remainder(vocabulary).view(2, 8)  # two texts of eight tokens
    input_ids = torch.stack([torch.cat([some, others]), torch.cat([others, some])])  # (2, tokens)
    positions = torch.arange(8).repeat(2, 2)
    places = {"input_ids": input_ids.to(model.device), "position_ids": positions.to(model.device)}
    logits = model.eval()(**places, use_cache=False).logits.float()
    model.train(was_training)
    after, alone = logits[0, 8:], logits[1, :8]  # of the same tokens, (tokens, vocabulary) each
    return bool((after - alone).abs().max() <= 1e-3 * alone.abs().max())


def pack_rows(
    rows: Sequence[EncodedRow],
    context: int,
    epochs: int,
    seed: int,
    *,
    replay: Sequence[EncodedRow] = (),
    together: bool = True,
) -> Dataset:
    """Packs rows, each whole, into longer ones of at most a context, for each epoch anew and in another order.

    Those to be replayed are read once: each epoch has others of them. `together` says whether several may share a
    packed row (see `keeps_apart`); its column `seq_lengths` has the lengths of those that do.
    """
    rng = np.random.default_rng(seed)
    packed = []
    for epoch in range(epochs):
        mixed = [*rows, *replay[epoch::epochs]]
        order = [mixed[place] for place in rng.permutation(len(mixed))]
        table = Dataset.from_dict({name: [getattr(row, name) for row in order] for name in EncodedRow._fields})
        if together:
            with _without_bars():
                longer = pack_dataset(table, context, "bfd")
        else:
            longer = table.add_column("seq_lengths", [[len(ids)] for ids in table["input_ids"]])
        packed.append(longer.select(rng.permutation(len(longer))))
    return concatenate_datasets(packed)


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keeps datasets from showing a bar for each epoch."""
    shown = not utils.are_progress_bars_disabled()
    utils.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            utils.enable_progress_bars()


def collate(rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    """Makes `input_ids`, `labels` and `position_ids`, (rows, tokens) each, of packed rows.

    Positions begin at 0 with each conversation; from that, transformers' causal models see that attention must not
    cross, as long as they get no `attention_mask`. The first token of each is no target: nothing comes before it.
    """
    batch = DataCollatorForLanguageModeling(pad_token_id=0, return_position_ids=True)(rows)
    del batch["attention_mask"]
    batch["labels"][batch["position_ids"] == 0] = IGNORED
    return batch


class ConversationTrainer(MuonTrainer, SFTTrainer):
    """TRL's trainer with Muon, and without what costs time and nobody reads."""

    def __init__(self, model: PreTrainedModel | PeftModel, args: SFTConfig, data: Dataset, **options: Any) -> None:
        super().__init__(model, args, collate, data, **options)
        # TRL gives the model a forward that its own loss needs. It stays bound to this very model: copies would have it
        # too, and compute with the weights of this one, whatever becomes of theirs.
        vars(cast("PeftModel", model).get_base_model() if is_peft_model(model) else model).pop("forward", None)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Returns the mean loss of the batch's targets in nats; 0 of a batch that has none."""
        labels = inputs.pop("labels")[:, 1:]  # (rows, tokens - 1)
        wanted = labels != IGNORED
        head = self.accelerator.unwrap_model(model).get_output_embeddings()
        with head.register_forward_pre_hook(lambda _, states: (states[0][:, :-1][wanted],)):
            logits = model(**inputs, use_cache=False).logits  # (targets, vocabulary): only targets are projected
        loss = cross_entropy(logits.float(), labels[wanted], reduction="sum")
        return loss / max(1, int(wanted.sum() if num_items_in_batch is None else num_items_in_batch))


def finetune(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    rows: Sequence[EncodedRow],
    recipe: Recipe,
    seed: int,
    at_shares: Sequence[float] = (),
    evaluate: Callable[[int], Any] = lambda step: None,
    replay: Sequence[EncodedRow] = (),
) -> TrainingLog:
    """Trains a model on demonstrations.

    Args:
        model: a causal model, or one with adapters; trained in place, afterwards in evaluation mode.
        at_shares: after which shares of the steps to `evaluate` (see `Monitor`), 0 for before the first.
        replay: what `encode_replay` gave; dealt out over the epochs, so that no text is read twice.
    """
    context = max(len(row.input_ids) for row in (*rows, *replay))
    learner = cast("PreTrainedModel", cast(Any, model).to(device()))
    if together := keeps_apart(learner):
        context = max(context, min(256, context_length(learner)))
    trained, places = above_frozen(learner, [row.input_ids for row in (*rows, *replay)])
    read = [EncodedRow(ids, row.labels) for ids, row in zip(places, (*rows, *replay), strict=True)]
    rows, replay = read[: len(rows)], read[len(rows) :]
    # What is evaluated on the way is published, and so in float32.
    with frozen_in(trained, torch.float32 if at_shares else fast_dtype_for(learner)):
        data = pack_rows(rows, context, recipe.epochs, seed, replay=replay, together=together)
        size = max(1, recipe.batch_tokens // context)
        steps = -(-len(data) // size)
        with tempfile.TemporaryDirectory() as scratch, quiet(), Progress("training", len(data), "rows") as line:
            monitor = Monitor(line, size, [round(share * steps) for share in at_shares], evaluate)
            args = _arguments(scratch, size, steps, recipe, seed)
            options: dict[str, Any] = {"processing_class": tokenizer, "callbacks": [monitor], "rates": recipe.rates}
            ConversationTrainer(trained, args, data, **options).run()
            seconds = monitor.seconds
    learner.eval()
    targets = sum(label != IGNORED for row in [*rows] * recipe.epochs + [*replay] for label in row.labels[1:])
    return TrainingLog(steps, sum(map(sum, data["seq_lengths"])), seconds, monitor.evaluations, targets=targets)


def _arguments(folder: str, size: int, steps: int, recipe: Recipe, seed: int) -> SFTConfig:
    return training_arguments(
        SFTConfig,
        folder,
        steps,
        recipe.rates[1],
        0.05,  # of the steps warm up
        seed,
        per_device_train_batch_size=size,
        activation_checkpointing=False,  # saves memory for time: TRL's default, and no use to a small model
        bf16=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},  # conversations are encoded and packed above
    )
