"""One engine for every training: transformers' Trainer with Muon, and a monitor that evaluates on the way.

Pretraining, classifiers and conversations get their arguments from `training_arguments`, run by `MuonTrainer`, and end
in a `TrainingLog`. All else is the Trainer as its documentation knows it.
"""

import gc
import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import ExportableState

from helpers import files
from helpers.models import device, quiet
from helpers.progress import Progress
from helpers.training import checkpoints
from helpers.training.fused import fused
from helpers.training.optimizers import Muon, parameter_groups

DIVERGED = 1.0
"""Nats above the lowest loss so far that nobody would wait for, if the loss is noted there twice in succession."""


@dataclass(frozen=True)
class TrainingLog:
    """What became of a training.

    Attributes:
        tokens: tokens read, without padding.
        seconds: wall-clock, without the evaluations, over all resumptions.
        evaluations: what `evaluate` returned, by step.
        losses: mean training loss in nats per token since the last note, by step.
        targets: of a training on conversations, how many of the tokens were targets.
        trained: of a classifier, the parameters that were trained.
        state_bytes: of a classifier, bytes of gradients and optimizer state, which are needed beside the weights.
    """

    steps: int
    tokens: int
    seconds: float
    evaluations: dict[int, Any] = field(default_factory=dict)
    losses: dict[int, float] = field(default_factory=dict)
    targets: int = 0
    trained: int = 0
    state_bytes: int = 0

    @property
    def tokens_per_second(self) -> float:
        """Rate of the training alone."""
        return self.tokens / self.seconds


def training_arguments(
    kind: type[TrainingArguments], folder: str, steps: int, rate: float, warm_up: float, seed: int, **more: Any
) -> Any:
    """Returns arguments of a kind for a Trainer; as they stand, for a training that is over in a minute or so.

    Data are read in the order in which they are given, the rate rises to its peak in a share of the steps and falls to
    zero in a line, and nothing is saved, logged or shown on the way. What differs, and what is asked for beside, is
    given by name.
    """
    common: dict[str, Any] = {
        "max_steps": steps,
        "learning_rate": rate,
        "warmup_steps": max(1, round(warm_up * steps)),
        "lr_scheduler_type": "linear",
        "max_grad_norm": 0.0,  # an orthogonal step and Adam's do not grow with the gradient
        "train_sampling_strategy": "sequential",
        "logging_strategy": "no",
        "save_strategy": "no",
        "disable_tqdm": True,
        "report_to": "none",
        "remove_unused_columns": False,
        "dataloader_pin_memory": device().type == "cuda",
        "seed": seed,
        "use_cpu": device().type == "cpu",  # or accelerate looks for cards, finds none, and lets each process run alone
    }
    return kind(folder, **common | more)


class MuonTrainer(Trainer):
    """Trainer with Muon, and without what costs time and nobody reads.

    `rates` are peak learning rates of the matrices inside the blocks (Muon) and of all else (Adam). With `averages` the
    model is left with the average of its weights (see `Muon`).
    """

    def __init__(self, *options: Any, rates: tuple[float, float], averages: bool = False, **named: Any) -> None:
        super().__init__(*options, **named)
        self.rates, self.averages = rates, averages

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Makes Muon where the Trainer would make AdamW."""
        if self.optimizer is None:
            self.optimizer = Muon(parameter_groups(model or self.model, *self.rates), self.averages)
        return self.optimizer

    def run(self, checkpoint: Path | None = None) -> dict[int, float]:
        """Trains, from a checkpoint on if one is given; leaves the model in evaluation mode. Returns losses by step."""
        self.remove_callback(PrinterCallback)
        gc.freeze()  # accelerate collects garbage at each start: with all libraries loaded, a third of a second
        try:
            plain = device().type == "cpu" and not self.args.bf16
            with quiet(), fused(cast("torch.nn.Module", self.model)) if plain else nullcontext():
                self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        finally:
            gc.unfreeze()
        cast("PreTrainedModel", self.model).eval()
        cast("Muon", self.optimizer).eval()
        return {int(entry["step"]): entry["loss"] for entry in self.state.log_history if "loss" in entry}

    def floating_point_ops(self, inputs: Any) -> int:
        """Leaves uncounted what nobody reads: of a small model, counting takes 2% of the time."""
        return 0

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> None:
        """Leaves unmeasured what clips nothing here."""


@dataclass(eq=False)
class Monitor(TrainerCallback, ExportableState):
    """Draws the progress line, evaluates the model on the way with the clock stopped, and stops a run gone wrong.

    `evaluate` gets the step, one of `at_steps` (0 is before the first), and returns what JSON can hold; the model is in
    evaluation mode meanwhile, and has the average of its weights where one is kept. `until` gets what it returned, and
    says whether that is enough.
    """

    progress: Progress
    units_per_step: int
    at_steps: Sequence[int]
    evaluate: Callable[[int], Any]
    until: Callable[[Any], bool] = lambda found: False
    evaluations: dict[int, Any] = field(default_factory=dict)
    _before: float = 0.0
    _since: float = math.nan

    @property
    def seconds(self) -> float:
        """Wall-clock of the training so far, over all its resumptions, without the evaluations."""
        return self._before + time.perf_counter() - self._since

    def state(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps."""
        return {"seconds": self.seconds, "evaluations": self.evaluations}

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, optimizer: Any = None, **kwargs: Any
    ) -> None:
        """Starts the clock, and evaluates the model as it is before the first step, or goes on from a checkpoint."""
        self._since = time.perf_counter()
        self.progress.resume(state.global_step * self.units_per_step)
        if state.global_step == 0:
            self._evaluate(state, control, model, optimizer)
        else:
            known = state.stateful_callbacks["Monitor"]
            self._before = known["seconds"]
            self.evaluations = {int(step): found for step, found in known["evaluations"].items()}

    def on_step_end(
        self, args: Any, state: Any, control: Any, model: Any = None, optimizer: Any = None, **kwargs: Any
    ) -> None:
        """Draws the line, and evaluates if it is time."""
        losses = [entry["loss"] for entry in state.log_history[-1:] if "loss" in entry]
        left = self.progress.total - self.progress.done  # the last batch may be smaller
        self.progress.advance(min(self.units_per_step, left), f"loss {losses[0]:.2f} nats" if losses else "")
        self._evaluate(state, control, model, optimizer)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stops a run whose loss is no number or has gone up and stayed there."""
        noted = [entry for entry in state.log_history if "loss" in entry]
        if not noted or noted[-1]["step"] != state.global_step:
            return
        losses = [entry["loss"] for entry in noted]
        if not math.isfinite(losses[-1]):
            raise stopped(args, state, f"the loss is {losses[-1]}", before=state.global_step)
        if len(losses) > 2 and min(losses[-2:]) > min(losses) + DIVERGED:
            reason = f"the loss has gone from {min(losses):.2f} up to {losses[-1]:.2f}"
            raise stopped(args, state, reason, before=noted[-2]["step"])

    def _evaluate(self, state: Any, control: Any, model: torch.nn.Module, optimizer: Muon) -> None:
        if state.global_step in self.at_steps and state.is_world_process_zero:
            start = time.perf_counter()
            for part in (model, optimizer):
                part.eval()
            self.evaluations[state.global_step] = found = self.evaluate(state.global_step)
            for part in (model, optimizer):
                part.train()
            control.should_training_stop |= self.until(found)
            self._since += time.perf_counter() - start


def stopped(args: Any, state: Any, reason: str, before: int) -> files.WorkbookError:
    """Returns the error for a run that must not go on; `before` is the step from which on nothing is good."""
    rate = next((entry["learning_rate"] for entry in reversed(state.log_history) if "learning_rate" in entry), math.nan)
    good = [path for path in checkpoints.sealed(Path(args.output_dir)) if checkpoints.step_of(path) < before]
    kept = f"The last good checkpoint is {good[0]}" if good else "There is no checkpoint before it"
    return files.WorkbookError(
        f"Training stopped at step {state.global_step}, learning rate {rate:.2g}: {reason}. {kept}. "
        "Try again with a lower matrix_learning_rate and learning_rate, or look at the data there."
    )
