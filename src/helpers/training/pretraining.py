"""Pretraining with transformers' Trainer: one pass over packed blocks, warm-up, stable, decay.

What the Trainer does not know stands here: how a profile becomes its arguments, a line of progress, and a look at the
model on the way. Callbacks and arguments of the Trainer can be passed on and work as they are known.
"""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from helpers.models import device
from helpers.profiles import Profile
from helpers.progress import Progress, clock

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

WARM_UP, DECAY = 0.05, 0.4
"""Shares of all steps; between them the rate is stable (Hu et al. 2024, MiniCPM, section 4)."""

TRIAL_SECONDS = 3.0
"""For how long steps are tried out before a run is priced."""

LOG_EVERY = 10
"""Steps over which the training loss is averaged."""


@dataclass(frozen=True)
class TrainingLog:
    """What a training run left behind.

    Attributes:
        steps: optimizer steps after which the loss was noted.
        losses: training loss in nats per token, averaged over the steps since the last note.
        tokens: tokens read in all.
        seconds: wall-clock of the training alone, without the looks at milestones.
    """

    steps: list[int]
    losses: list[float]
    tokens: int
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Rate of the training alone."""
        return self.tokens / self.seconds


class _Watch(TrainerCallback):
    """Draws the progress line and stops the clock while a milestone is looked at."""

    def __init__(
        self, progress: Progress, tokens_per_step: int, milestones: Sequence[int], look: Callable[[int], None]
    ) -> None:
        self.progress, self.tokens_per_step = progress, tokens_per_step
        self.milestones, self.look = frozenset(milestones), look
        self.looked_seconds = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._look_at(0)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        losses = [entry["loss"] for entry in state.log_history[-1:] if "loss" in entry]
        left = self.progress.total - self.progress.done  # the last batch may be smaller
        self.progress.advance(min(self.tokens_per_step, left), f"loss {losses[0]:.2f}" if losses else "")
        self._look_at(state.global_step)

    def _look_at(self, step: int) -> None:
        if step in self.milestones:
            start = time.perf_counter()
            self.look(step)
            self.looked_seconds += time.perf_counter() - start


def batch_of(profile: Profile) -> int:
    """Returns the blocks of an optimizer step."""
    return max(1, profile.batch_tokens // profile.context)


def steps_of(blocks: Dataset, profile: Profile) -> int:
    """Returns the optimizer steps of one pass over the blocks; the last one may be over fewer."""
    return -(-len(blocks) // batch_of(profile))


def pretrain(
    model: PreTrainedModel,
    blocks: Dataset,
    profile: Profile,
    seed: int,
    milestones: Sequence[int] = (),
    look: Callable[[int], None] = lambda step: None,
    **arguments: Any,
) -> TrainingLog:
    """Trains a causal model once over packed blocks.

    Args:
        model: trained in place; afterwards in evaluation mode.
        blocks: what `tokenization.pack` returns.
        profile: gives batch and peak learning rate.
        seed: of the order of the blocks.
        milestones: optimizer steps (0 is before the first) after which `look` is called.
        look: gets the step; the model is in evaluation mode meanwhile, and the clock is stopped.
        arguments: passed on to `TrainingArguments`, such as `report_to` or `save_strategy`.

    Returns:
        The log of the run.
    """
    steps = steps_of(blocks, profile)

    def look_in_evaluation(step: int) -> None:
        model.eval()
        look(step)
        model.train()

    tokens = len(blocks) * profile.context
    with tempfile.TemporaryDirectory() as scratch, Progress("training", tokens, "tokens") as line:
        watch = _Watch(line, batch_of(profile) * profile.context, milestones, look_in_evaluation)
        defaults = {"output_dir": scratch, "save_strategy": "no", "report_to": "none"}
        trainer = Trainer(
            model=model,
            args=TrainingArguments(**_arguments(profile, steps, seed) | defaults | arguments),
            train_dataset=blocks,
            callbacks=[watch],
        )
        trainer.remove_callback(PrinterCallback)
        start = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - start - watch.looked_seconds
    model.eval()
    noted = {entry["step"]: entry["loss"] for entry in trainer.state.log_history if "loss" in entry}
    return TrainingLog([int(step) for step in noted], list(noted.values()), tokens, seconds)


def _arguments(profile: Profile, steps: int, seed: int) -> dict[str, Any]:
    return {
        "per_device_train_batch_size": batch_of(profile),
        "max_steps": steps,
        "learning_rate": profile.learning_rate,
        "lr_scheduler_type": "warmup_stable_decay",
        "lr_scheduler_kwargs": {"num_decay_steps": round(DECAY * steps), "decay_type": "linear"},
        "warmup_steps": max(1, round(WARM_UP * steps)),
        "weight_decay": 0.1,
        "adam_beta2": 0.95,
        "max_grad_norm": 1.0,
        "logging_steps": LOG_EVERY,
        "disable_tqdm": True,
        "dataloader_pin_memory": device().type == "cuda",
        "seed": seed,
        "bf16": device().type == "cuda" and torch.cuda.is_bf16_supported(),
    }


def expected_cost(model: PreTrainedModel, blocks: Dataset, profile: Profile) -> str:
    """Says what a pretraining run will cost here, from a few seconds of real steps on a copy of the model.

    Args:
        model: the model to be trained; not changed.
        blocks: what it will be trained on.
        profile: gives the batch.

    Returns:
        A few lines with parameters, tokens, FLOPs and expected minutes on this machine.
    """
    trial: torch.nn.Module = copy.deepcopy(model)
    trial.to(device()).train()
    optimizer = torch.optim.AdamW(trial.parameters())
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
