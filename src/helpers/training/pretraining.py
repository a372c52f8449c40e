"""Pretraining: one pass over packed blocks, warm-up, stable, decay; on one device or many, killed or not.

`pretrain` turns a profile into arguments of transformers' Trainer. Given a folder for checkpoints, it goes on from the
last whole one of the same run, and ends with the weights, to the bit, of a run that nobody killed.
"""

import copy
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from timeit import timeit
from typing import Any, cast

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from datasets import Dataset, IterableDataset, concatenate_datasets
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, TrainingArguments
from transformers.trainer_utils import SaveStrategy

from helpers import files
from helpers.models import device, flops_per_token, is_bidirectional, weights_fingerprint
from helpers.profiles import Profile
from helpers.progress import Progress, clock
from helpers.tokenization import IGNORED
from helpers.training import checkpoints as checkpointing
from helpers.training.fused import fused
from helpers.training.objectives import hidden_token_loss
from helpers.training.optimizers import Muon, parameter_groups
from helpers.training.trainer import Monitor, MuonTrainer, TrainingLog, stopped, training_arguments

WARM_UP, DECAY = 0.02, 0.6
"""Shares of all steps; between them the rate is stable (Hu et al. 2024, MiniCPM, section 4)."""

OPEN_ENDED: dict[str, Any] = {
    "lr_scheduler_type": "inverse_sqrt",
    "lr_scheduler_kwargs": {"timescale": 60},
    "warmup_steps": 20,
    "train_sampling_strategy": "sequential",
}
"""Arguments of a run whose end nobody knows: after the warm-up the rate falls as the inverse root of the steps."""

TRIAL_SECONDS = 3.0
"""For how long steps are tried out before a run is priced."""

LOG_EVERY = 10
"""Steps over which the training loss is averaged."""

CHECKPOINTS, FEWEST_STEPS = 20, 500
"""A run is saved so many times, or oftener: after at most so many steps."""


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
    at_steps: Sequence[int] = (),
    evaluate: Callable[[int], Any] = lambda step: None,
    *,
    until: Callable[[Any], bool] = lambda found: False,
    checkpoints: Path | None = None,
    open_ended: bool = False,
    **arguments: Any,
) -> TrainingLog:
    """Trains a model once over packed blocks: to guess the next token, or hidden ones if it is bidirectional.

    Under `accelerate launch` all processes call it alike; the global batch is the profile's, whatever their number.

    Args:
        model: trained in place; afterwards in evaluation mode.
        blocks: what `tokenization.pack` returns, the same for each process; or a stream, each process' own part.
        profile: gives batch and peak learning rates; for a stream also the tokens.
        at_steps, evaluate, until: see `Monitor`; the first process evaluates. `until` is for one process.
        checkpoints: where to save the state on the way, and to go on from if it holds this very run.
        open_ended: the run may end at any step: the rate knows no end, and the model has the average of its weights
            whenever it is evaluated, and at the end (see `Muon`).
        arguments: of `TrainingArguments`, such as `report_to`.

    Raises:
        WorkbookError: the loss diverges; or a checkpoint cannot be written, or was altered.
    """
    steps, step_tokens = steps_of(blocks, profile), batch_of(profile) * profile.context
    tokens = len(blocks) * profile.context if isinstance(blocks, Dataset) else steps * step_tokens
    with tempfile.TemporaryDirectory() as scratch:
        args = _arguments(scratch, profile, steps, seed, (OPEN_ENDED if open_ended else {}) | arguments)
        last = _open_run(args, checkpoints, model, blocks, [repr(profile), str(seed), repr(arguments), str(open_ended)])
        with Progress("training", tokens, "tokens", silent=args.process_index > 0) as line:
            monitor = Monitor(line, step_tokens, at_steps, evaluate, until)
            rates = (profile.matrix_learning_rate, profile.learning_rate)
            data = _filled(blocks, batch_of(profile))
            options: dict[str, Any] = {"callbacks": [monitor], "rates": rates, "averages": open_ended}
            trainer = PretrainingTrainer(model, args, train_dataset=data, **options)
            losses = trainer.run(last)
            steps, seconds = trainer.state.global_step, monitor.seconds
    return TrainingLog(steps, min(tokens, steps * step_tokens), seconds, monitor.evaluations, losses)


class PretrainingTrainer(MuonTrainer):
    """Adds the masked objective, streams that are sharded already, and checkpoints that are whole or nothing."""

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Asks for the next token, as the Trainer does, or for hidden ones of a bidirectional model."""
        learner = cast("PreTrainedModel", self.model)
        if is_bidirectional(learner):
            head = learner.get_output_embeddings()
            return hidden_token_loss(model, head, inputs, learner.config.mask_token_id, learner.config.vocab_size)
        return super().compute_loss(model, inputs, *args, **kwargs)

    def get_train_dataloader(self) -> DataLoader:
        """Leaves streams alone: accelerate would let every process read all and throw the others' part away."""
        if isinstance(self.train_dataset, IterableDataset):
            return DataLoader(
                self.train_dataset, batch_size=self.args.per_device_train_batch_size, collate_fn=self.data_collator
            )
        return super().get_train_dataloader()

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if not all(parameter.isfinite().all() for parameter in model.parameters()):
            reason = "there are weights that are no numbers"
            raise stopped(self.args, self.state, reason, before=self.state.global_step)
        checkpoint = Path(str(self.args.output_dir)) / f"{checkpointing.PREFIX}{self.state.global_step}"
        with checkpointing.writing(checkpoint):
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()  # the seal is over the files of all processes
            if self.is_world_process_zero():
                checkpointing.seal(checkpoint)


def _arguments(folder: str, profile: Profile, steps: int, seed: int, more: dict[str, Any]) -> TrainingArguments:
    saves = min(FEWEST_STEPS, max(1, steps // CHECKPOINTS))
    ours = {
        "lr_scheduler_type": "warmup_stable_decay",
        "lr_scheduler_kwargs": {"num_decay_steps": round(DECAY * steps), "decay_type": "linear"},
        "train_sampling_strategy": "random",
        "logging_strategy": "steps",
        "logging_steps": LOG_EVERY,
        "logging_nan_inf_filter": False,
        "save_steps": -(-saves // LOG_EVERY) * LOG_EVERY,  # just after the loss is noted, so that no part of it is lost
        "ddp_find_unused_parameters": False,
        "bf16": device().type == "cuda" and torch.cuda.is_bf16_supported(),
    }
    args = training_arguments(TrainingArguments, folder, steps, profile.learning_rate, WARM_UP, seed, **ours | more)
    args.per_device_train_batch_size = _share(profile, args.world_size)  # asking for the size starts the processes
    return args


def _share(profile: Profile, processes: int) -> int:
    """Returns the blocks of a batch that each process gets."""
    share, left = divmod(batch_of(profile), processes)
    if left:
        raise files.WorkbookError(
            f"A batch of {batch_of(profile)} blocks ({profile.batch_tokens:,} tokens) cannot be dealt evenly to "
            f"{processes} processes. Choose another number of them, or set batch_tokens."
        )
    return share


def _open_run(
    args: TrainingArguments,
    folder: Path | None,
    model: PreTrainedModel,
    blocks: Dataset | IterableDataset,
    settings: list[str],
) -> Path | None:
    """Lets the Trainer save into the folder of this very run: the same initial weights, blocks and settings.

    A half-written checkpoint is removed; returns the run's last whole one, if there is one.
    """
    if folder is None:
        return None
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
    args.output_dir, args.save_strategy = str(run), SaveStrategy.STEPS
    return checkpointing.latest(run)


def _filled(blocks: Dataset | IterableDataset, batch: int) -> Dataset | IterableDataset:
    """Fills up the last batch with blocks without targets, so that any number of processes sees the same batches."""
    if isinstance(blocks, IterableDataset) or len(blocks) % batch == 0:
        return blocks
    filling = blocks[[0] * (-len(blocks) % batch)]
    filling["labels"] = torch.full_like(filling["labels"], IGNORED)
    rows = {name: tensor.numpy() for name, tensor in filling.items()}
    return concatenate_datasets([blocks, Dataset.from_dict(rows, features=blocks.features)]).with_format("torch")


def expected_cost(
    model: PreTrainedModel,
    blocks: Dataset,
    profile: Profile,
    at_steps: Sequence[int] = (),
    evaluate: Callable[[int], Any] = lambda step: None,
) -> str:
    """Says what `pretrain` will cost here, from a few seconds of real steps on a copy and one evaluation."""
    trial: Any = copy.deepcopy(model)
    trial.to(device()).train()
    optimizer = Muon(parameter_groups(trial, profile.matrix_learning_rate, profile.learning_rate))
    batch = {name: tensor.to(device()) for name, tensor in blocks[: batch_of(profile)].items()}

    def step() -> None:
        loss = trial(**batch, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()  # waits for the card

    seconds: list[float] = []
    tried = max(3, steps_of(blocks, profile) // 20)  # a short run is priced from few steps
    with fused(trial) if device().type == "cpu" else nullcontext():
        while len(seconds) < 3 or (sum(seconds) < TRIAL_SECONDS and len(seconds) < tried):
            seconds.append(timeit(step, number=1))
    tokens = len(blocks) * profile.context
    expected = statistics.median(seconds) * steps_of(blocks, profile)  # not the mean: the first step is warming up
    was_training = model.training
    model.eval()
    evaluating = len(at_steps) * timeit(lambda: evaluate(0), number=1) if at_steps else 0.0
    model.train(was_training)
    flops = tokens * flops_per_token(model, profile.context)
    size = f"{model.num_parameters():,} parameters, {tokens:,} tokens, {flops:.1e} FLOPs"
    of_these = f", of these {clock(evaluating)} for {len(at_steps)} evaluations" if at_steps else ""
    lines = [size, f"expected on this machine ({device().type}): {clock(expected + evaluating)}{of_these}"]
    if device().type != "cpu":
        lines.append("The published numbers are a CPU's: yours will differ in their last digits, and may by more.")
    return "\n".join(lines)
