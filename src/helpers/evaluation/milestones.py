"""What is measured on the way of the base run? Loss, accuracy and writing at some steps, on validation text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers.corpora import Corpus, town
from helpers.evaluation.choices import ChoiceTest, model_scorer
from helpers.evaluation.language import language_tests, sample_of
from helpers.evaluation.likelihood import HeldOut, held_out
from helpers.evaluation.scorecard import OURS
from helpers.generation import sample
from helpers.profiles import Profile
from helpers.statistics import share_interval

WRITTEN_TOKENS = 50


def milestones_of(steps: int) -> list[int]:
    """Returns the steps of a run after which it is evaluated: powers of two, then quarters, the first and the last."""
    early = [2**k for k in range(4, 20) if 2**k < 0.4 * steps]
    return sorted({0, *early, steps // 2, 3 * steps // 4, steps})


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated at each milestone: validation text of each corpus, `held`, and tests of what can be known.

    By the seed, continuations of `prompts` are written, too.
    """

    held: dict[str, HeldOut]
    tests: list[ChoiceTest]
    prompts: list[str]
    profile: Profile
    seed: int

    def of(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> Callable[[int], dict[str, Any]]:
        """Returns what gets a step and evaluates the model, for `pretrain`."""
        return lambda step: self.evaluate(model, tokenizer)

    def evaluate(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
        """Returns bits per byte by corpus, accuracies with intervals by test, and texts, as JSON can hold them."""
        scorer = model_scorer(model, tokenizer, self.profile.context)
        accuracies = {}
        for test in self.tests:
            credits = test.score(scorer)
            interval = share_interval(credits, test.groups)
            accuracies[test.name] = [float(credits.mean()), interval.low, interval.high]
        return {
            "bits": {name: held.bits_per_byte(scorer(held.texts))[0] for name, held in self.held.items()},
            "accuracy": accuracies,
            "written": sample(model, tokenizer, self.prompts, max_new_tokens=WRITTEN_TOKENS, seed=self.seed),
        }

    def tables(self, found: Mapping[int, Mapping[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Returns what was found at each step as tables.

        They are: bits per byte, a row for each step, a column for each corpus; accuracies as in `Record.frame`, with a
        column `step`; texts, with columns `prompt`, `step` and `text`.
        """
        bits = pd.DataFrame({step: each["bits"] for step, each in found.items()}).T
        accuracies = [
            {"step": step, "method": OURS, **test.about}
            | dict(zip(("value", "low", "high"), each["accuracy"][test.name], strict=True))
            for step, each in found.items()
            for test in self.tests
        ]
        written = [
            {"prompt": prompt, "step": step, "text": text}
            for step, each in found.items()
            for prompt, text in zip(self.prompts, each["written"], strict=True)
        ]
        return bits, pd.DataFrame(accuracies), pd.DataFrame(written)


def draw_evaluation(
    corpora: Mapping[str, Corpus], world: town.World, prompts: Sequence[str], profile: Profile, seed: int
) -> Evaluation:
    """Draws what is evaluated at milestones from the corpora's validation splits; real text comes from the first."""
    splits = {name: corpus.splits["validation"] for name, corpus in corpora.items()}
    held = {name: held_out(split, profile.heldout_bytes // 5, seed) for name, split in splits.items()}
    real = held_out(next(iter(splits.values())), profile.heldout_bytes, seed)
    known = [
        test
        for test in sample_of(language_tests(world, real, profile, seed), profile.people // 2)
        if test.about.get("introduced") is not False and test.about.get("words") != "new"
    ]
    return Evaluation(held, known, list(prompts), profile, seed)


def pace(bits: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Returns of each column the first step after more than half of its fall, and its fall per step, first and last.

    `bits` is as `Evaluation.tables` gives it.
    """
    half = (bits < (bits.iloc[0] + bits.iloc[-1]) / 2).idxmax()
    falls = -bits.diff().div(bits.index.to_series().diff(), axis=0)
    return half, falls.iloc[1], falls.iloc[-1]
