"""Pretraining: one pass over packed blocks, warm-up, stable, decay; on one device or many, killed or not.

`pretrain` turns a profile into arguments of transformers' Trainer. Given a folder for checkpoints, it goes on from the
last whole one of the same run, and ends with the weights, to the bit, of a run that nobody killed.
"""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from datasets import Dataset, IterableDataset, concatenate_datasets
from transformers import PrinterCallback, TrainingArguments
from transformers.trainer_utils import SaveStrategy

from helpers import files
from helpers.models import device, quiet, weights_fingerprint
from helpers.profiles import Profile
from helpers.progress import Progress, clock
from helpers.tokenization import IGNORED
from helpers.training import checkpoints as checkpointing
from helpers.training.optimizers import Muon, parameter_groups
from helpers.training.trainer import LOG, PretrainingTrainer, Watch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WARM_UP, DECAY = 0.02, 0.6
"""Shares of all steps; between them the rate is stable (Hu et al. 2024, MiniCPM, section 4)."""

TRIAL_SECONDS = 3.0
"""For how long steps are tried out before a run is priced."""

LOG_EVERY = 10
"""Steps over which the training loss is averaged."""

CHECKPOINTS, FEWEST_STEPS = 20, 500
"""A run is saved so many times, or oftener: after at most so many steps."""


@dataclass(frozen=True)
class TrainingLog:
    """What a training run left behind.

    Attributes:
        steps: optimizer steps after which the loss was noted.
        losses: training loss in nats per token, averaged over the steps since the last note.
        tokens: tokens read in all.
        seconds: wall-clock of the training alone, without the looks, over all resumptions.
        evaluations: what `look` returned, by step.
    """

    steps: list[int]
    losses: list[float]
    tokens: int
    seconds: float
    evaluations: dict[int, Any]

    @property
    def tokens_per_second(self) -> float:
        """Rate of the training alone."""
        return self.tokens / self.seconds


def batch_of(profile: Profile) -> int:
    """Returns the blocks of an optimizer step, over all processes."""
    return max(1, profile.batch_tokens // profile.context)


def steps_of(blocks: Dataset | IterableDataset, profile: Profile) -> int:
    """Returns the optimizer steps of one pass over the blocks, or of the profile's tokens if they are a stream."""
    if isinstance(blocks, IterableDataset):
        return max(1, profile.tokens // (batch_of(profile) * profile.context))
    return -(-len(blocks) // batch_of(profile))


def pretrain(
    model: PreTrainedModel,
    blocks: Dataset | IterableDataset,
    profile: Profile,
    seed: int,
    milestones: Sequence[int] = (),
    look: Callable[[int], Any] = lambda step: None,
    *,
    until: Callable[[Any], bool] = lambda seen: False,
    checkpoints: Path | None = None,
    **arguments: Any,
) -> TrainingLog:
    """Trains a model once over packed blocks: to guess the next token, or hidden ones if it looks both ways.

    Under `accelerate launch` all processes call it alike; the global batch is the profile's, whatever their number.

    Args:
        model: trained in place, causal or as `models.masked_model` makes it; afterwards in evaluation mode.
        blocks: what `tokenization.pack` returns, the same for each process; or a stream, each process' own part.
        profile: gives batch and peak learning rates; for a stream also the tokens.
        seed: of the order of the blocks.
        milestones: optimizer steps (0 is before the first) after which `look` is called, by the first process.
        look: gets the step, and returns what the log shall keep of it, as JSON can hold it; the model is in evaluation
            mode meanwhile, and the clock is stopped.
        until: gets what `look` returned; the training ends when it says so. For one process.
        checkpoints: where to save the state on the way, and to go on from if it holds this very run: the same initial
            weights, blocks, profile, seed and arguments. None to save nothing.
        arguments: passed on to `TrainingArguments`, such as `report_to`.

    Returns:
        The log of the run.

    Raises:
        WorkbookError: the loss diverges; or a checkpoint cannot be written, or was altered.
    """
    steps, batch = steps_of(blocks, profile), batch_of(profile)
    tokens = (steps * batch if isinstance(blocks, IterableDataset) else len(blocks)) * profile.context
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        args = TrainingArguments(scratch, **_arguments(profile, steps, seed) | arguments)
        args.per_device_train_batch_size = _share(profile, args.world_size)  # asking for the size starts the processes
        last = None
        if checkpoints:
            run, last = _open_run(checkpoints, model, blocks, [repr(profile), str(seed), repr(arguments)])
            args.output_dir, args.save_strategy = str(run), SaveStrategy.STEPS
        line = stack.enter_context(Progress("training", tokens, "tokens", silent=args.process_index > 0))
        watch = Watch(line, batch * profile.context, milestones, look, until)
        if last:
            watch.restore(last / LOG)
        data = blocks if isinstance(blocks, IterableDataset) else _filled(blocks, batch)
        rates = (profile.matrix_learning_rate, profile.learning_rate)
        trainer = PretrainingTrainer(rates, watch, model=model, args=args, train_dataset=data)
        trainer.remove_callback(PrinterCallback)
        with quiet():
            trainer.train(resume_from_checkpoint=str(last) if last else None)
        seconds = watch.seconds
    model.eval()
    noted = {int(entry["step"]): entry["loss"] for entry in trainer.state.log_history if "loss" in entry}
    read = min(tokens, trainer.state.global_step * batch * profile.context)
    return TrainingLog(list(noted), list(noted.values()), read, seconds, watch.evaluations)


def _share(profile: Profile, processes: int) -> int:
    """Returns the blocks of a batch that each process gets."""
    if batch_of(profile) % processes:
        raise files.WorkbookError(
            f"A batch of {batch_of(profile)} blocks ({profile.batch_tokens:,} tokens) cannot be dealt evenly to "
            f"{processes} processes. Choose another number of them, or set batch_tokens."
        )
    return batch_of(profile) // processes


def _arguments(profile: Profile, steps: int, seed: int) -> dict[str, Any]:
    saves = min(FEWEST_STEPS, max(1, steps // CHECKPOINTS))
    return {
        "max_steps": steps,
        "learning_rate": profile.learning_rate,
        "lr_scheduler_type": "warmup_stable_decay",
        "lr_scheduler_kwargs": {"num_decay_steps": round(DECAY * steps), "decay_type": "linear"},
        "warmup_steps": max(1, round(WARM_UP * steps)),
        "max_grad_norm": 0.0,  # an orthogonal step and Adam's do not grow with the gradient
        "logging_steps": LOG_EVERY,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "save_steps": -(-saves // LOG_EVERY) * LOG_EVERY,  # just after the loss is noted, so that no part of it is lost
        "ddp_find_unused_parameters": False,
        "disable_tqdm": True,
        "report_to": "none",
        "dataloader_pin_memory": device().type == "cuda",
        "seed": seed,
        "use_cpu": device().type == "cpu",  # or accelerate looks for cards, finds none, and lets each process run alone
        "bf16": device().type == "cuda" and torch.cuda.is_bf16_supported(),
    }


def _open_run(
    folder: Path, model: PreTrainedModel, blocks: Dataset | IterableDataset, settings: list[str]
) -> tuple[Path, Path | None]:
    """Returns the folder of this very run, and its last whole checkpoint; a half-written one is removed."""
    state = PartialState()
    parts: list[str | bytes] = [weights_fingerprint(model), *settings]
    if isinstance(blocks, IterableDataset):
        parts.append(next(iter(blocks))["input_ids"].numpy().tobytes())
    else:
        columns = blocks.select_columns("input_ids").with_format("numpy")
        parts += [rows["input_ids"].tobytes() for rows in columns.iter(1000)]
    name = [files.fingerprint(parts)]  # of a stream each process has its own part, and the first's decides
    if state.num_processes > 1:
        broadcast_object_list(name)
    run = folder / name[0]
    if state.is_main_process:
        checkpointing.open_folder(run)
    state.wait_for_everyone()
    return run, checkpointing.latest(run)


def _filled(blocks: Dataset, batch: int) -> Dataset:
    """Fills up the last batch with blocks without targets, so that any number of processes sees the same batches."""
    missing = -len(blocks) % batch
    if not missing:
        return blocks
    filling = blocks[[0] * missing]
    filling["labels"] = torch.full_like(filling["labels"], IGNORED)
    rows = {name: tensor.numpy() for name, tensor in filling.items()}
    return concatenate_datasets([blocks, Dataset.from_dict(rows, features=blocks.features)]).with_format("torch")


def expected_cost(model: PreTrainedModel, blocks: Dataset, profile: Profile) -> str:
    """Says what a pretraining run will cost here, from a few seconds of real steps on a copy of the model.

    Args:
        model: the model to be trained; not changed.
        blocks: what it will be trained on.
        profile: gives the batch.

    Returns:
        A few lines with parameters, tokens, FLOPs and expected minutes on this machine.
    """
    trial: Any = copy.deepcopy(model)
    trial.to(device()).train()
    optimizer = Muon(parameter_groups(trial, profile.matrix_learning_rate, profile.learning_rate))
    rows = blocks[: batch_of(profile)]
    seconds: list[float] = []
    while sum(seconds) < TRIAL_SECONDS or len(seconds) < 3:
        start = time.perf_counter()
        trial(**{name: tensor.to(device()) for name, tensor in rows.items()}, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
    tokens = len(blocks) * profile.context
    expected = statistics.median(seconds) * steps_of(blocks, profile)  # not the mean: the first step is warming up
    size = f"{model.num_parameters():,} parameters, {tokens:,} tokens, {tokens * profile.flops_per_token:.1e} FLOPs"
    lines = [size, f"expected on this machine ({device().type}): {clock(expected)}"]
    if device().type != "cpu":
        lines.append("The published numbers are a CPU's: yours will differ in their last digits, and may by more.")
    return "\n".join(lines)
