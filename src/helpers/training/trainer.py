"""What must transformers' Trainer learn? Another optimizer, whole checkpoints, looks on the way, and when to stop.

Everything else of it is as it is known: its arguments, its callbacks, its processes.
"""

from __future__ import annotations

import gc
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from datasets import IterableDataset
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback

from helpers import files
from helpers.models import device, is_bidirectional
from helpers.progress import Progress
from helpers.training import checkpoints
from helpers.training.objectives import hidden_token_loss
from helpers.training.optimizers import Muon, parameter_groups

LOG = "log.json"
"""What a checkpoint of ours holds beside the Trainer's: seconds so far, and what was seen at the looks."""

DIVERGED = 1.0
"""Nats above the lowest loss so far that nobody would wait for, if the loss is noted there twice in succession."""


class Watch(TrainerCallback):
    """Draws the progress line, looks at the model on the way with the clock stopped, and stops a run gone wrong.

    Args:
        progress: the line.
        tokens_per_step: by how much a step advances it.
        milestones: steps after which to look; 0 is before the first.
        look: gets the step, and returns what JSON can hold; the model is in evaluation mode meanwhile.
        until: gets what `look` returned, and says whether it is enough.

    Attributes:
        evaluations: what was seen, by step.
    """

    def __init__(
        self,
        progress: Progress,
        tokens_per_step: int,
        milestones: Sequence[int],
        look: Callable[[int], Any],
        until: Callable[[Any], bool],
    ) -> None:
        self.progress, self.tokens_per_step = progress, tokens_per_step
        self.milestones, self.look, self.until = frozenset(milestones), look, until
        self.evaluations: dict[int, Any] = {}
        self._before, self._since = 0.0, math.nan

    @property
    def seconds(self) -> float:
        """Wall-clock of the training so far, over all its resumptions, without the looks."""
        return self._before + time.perf_counter() - self._since

    def restore(self, log: Path) -> None:
        """Goes on from what a checkpoint's log says."""
        known = json.loads(log.read_text(encoding="utf-8"))
        self._before = known["seconds"]
        self.evaluations = {int(step): seen for step, seen in known["looks"].items()}

    def save(self, log: Path) -> None:
        """Writes what `restore` reads."""
        files.write_json(log, {"seconds": self.seconds, "looks": self.evaluations})

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Starts the clock, and looks at the untrained model."""
        self._since = time.perf_counter()
        self.progress.resume(state.global_step * self.tokens_per_step)
        if state.global_step == 0:
            self._look_at(state, control, model)

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Draws the line, and looks if it is time."""
        losses = [entry["loss"] for entry in state.log_history[-1:] if "loss" in entry]
        left = self.progress.total - self.progress.done  # the last batch may be smaller
        self.progress.advance(min(self.tokens_per_step, left), f"loss {losses[0]:.2f} nats" if losses else "")
        self._look_at(state, control, model)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stops a run whose loss is no number or has left the ground that it had won.

        Raises:
            WorkbookError: it names the step, the learning rate and the last good checkpoint.
        """
        noted = [entry for entry in state.log_history if "loss" in entry]
        if not noted or noted[-1]["step"] != state.global_step:
            return
        losses = [entry["loss"] for entry in noted]
        if not math.isfinite(losses[-1]):
            raise stopped(args, state, f"the loss is {losses[-1]}", before=state.global_step)
        if len(losses) > 2 and min(losses[-2:]) > min(losses) + DIVERGED:
            reason = f"the loss has gone from {min(losses):.2f} up to {losses[-1]:.2f}"
            raise stopped(args, state, reason, before=noted[-2]["step"])

    def _look_at(self, state: Any, control: Any, model: torch.nn.Module) -> None:
        if state.global_step in self.milestones and state.is_world_process_zero:
            start = time.perf_counter()
            model.eval()
            self.evaluations[state.global_step] = seen = self.look(state.global_step)
            model.train()
            control.should_training_stop |= self.until(seen)
            self._since += time.perf_counter() - start


def stopped(args: Any, state: Any, reason: str, before: int) -> files.WorkbookError:
    """Builds the error for a run that must not go on: where it stood, how fast it learned, what is still good.

    Args:
        args: the Trainer's arguments.
        state: the Trainer's.
        reason: what went wrong.
        before: the step from which on nothing is good.
    """
    rate = next((entry["learning_rate"] for entry in reversed(state.log_history) if "learning_rate" in entry), math.nan)
    good = [path for path in checkpoints.sealed(Path(args.output_dir)) if checkpoints.step_of(path) < before]
    kept = f"The last good checkpoint is {good[0]}" if good else "There is no checkpoint before it"
    return files.WorkbookError(
        f"Training stopped at step {state.global_step}, learning rate {rate:.2g}: {reason}. {kept}. "
        "Try again with a lower matrix_learning_rate and learning_rate, or look at the data there."
    )


class Lean:
    """For a Trainer: leaves out what costs time and nobody reads."""

    def floating_point_ops(self, inputs: Any) -> int:
        """Leaves uncounted what nobody reads: of a small model, counting takes 2% of the time."""
        return 0

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> None:
        """Leaves unmeasured what clips nothing here."""


def train(trainer: Trainer) -> None:
    """Lets a trainer train, without a note at its end and without a search for garbage at its beginning."""
    trainer.remove_callback(PrinterCallback)
    gc.freeze()  # accelerate collects garbage at each start: with all libraries loaded, a third of a second
    try:
        trainer.train()
    finally:
        gc.unfreeze()


def short_run(steps: int, rate: float, warm_up: float, seed: int) -> dict[str, Any]:
    """Returns arguments of a training that is over in a minute or so: nothing is saved, logged or shown on the way.

    Args:
        steps: optimizer steps; data are read in the order in which they are given.
        rate: peak learning rate, which then falls to zero in a line.
        warm_up: share of the steps in which it rises.
        seed: of all that is drawn.
    """
    return {
        "max_steps": steps,
        "train_sampling_strategy": "sequential",
        "lr_scheduler_type": "linear",
        "learning_rate": rate,
        "warmup_steps": max(1, round(warm_up * steps)),
        "max_grad_norm": 0.0,
        "logging_strategy": "no",
        "save_strategy": "no",
        "disable_tqdm": True,
        "report_to": "none",
        "remove_unused_columns": False,
        "dataloader_pin_memory": False,
        "seed": seed,
        "use_cpu": device().type == "cpu",
    }


class MuonTrainer(Lean, Trainer):
    """Trainer with Muon, and without what costs time and nobody reads.

    Args:
        rates: learning rates of the matrices inside the blocks and of all else.
        options: as `Trainer` takes them.
    """

    def __init__(self, rates: tuple[float, float], **options: Any) -> None:
        super().__init__(**options)
        self.rates = rates

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Makes Muon where the Trainer would make AdamW."""
        self.optimizer = Muon(parameter_groups(cast("PreTrainedModel", model or self.model), *self.rates))
        return self.optimizer


class PretrainingTrainer(MuonTrainer):
    """Adds both objectives, streams that are sharded already, and checkpoints that are whole or nothing.

    Args:
        rates: learning rates of the matrices inside the blocks and of all else.
        watch: the run's.
        options: as `Trainer` takes them.
    """

    def __init__(self, rates: tuple[float, float], watch: Watch, **options: Any) -> None:
        super().__init__(rates, callbacks=[watch], **options)
        self.watch = watch

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Asks for the next token, as the Trainer does, or for hidden ones of a model that looks both ways."""
        learner = cast("PreTrainedModel", self.model)
        if is_bidirectional(learner):
            return hidden_token_loss(model, inputs, learner.config.mask_token_id, learner.config.vocab_size)
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
        checkpoint = Path(str(self.args.output_dir)) / f"{checkpoints.PREFIX}{self.state.global_step}"
        with checkpoints.writing(checkpoint):
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()  # the seal is over the files of all processes
            if self.is_world_process_zero():
                self.watch.save(checkpoint / LOG)
                checkpoints.seal(checkpoint)
