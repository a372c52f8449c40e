"""What do demonstrations make of a real chat model? Tuned and judged as ours is; and how far does it drift from itself?

*Drift*: how much less likely are its own former answers to everyday requests, none of them a demonstration? That needs
no judge. Former answers were its likeliest ones, so almost any training makes them less likely: the size counts.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers import corpora, plotting, records, smollm2
from helpers.corpora import Corpus
from helpers.evaluation.likelihood import Forgetting, held_out, row_bits
from helpers.evaluation.skills import SHOTS, Answers, Demonstration, chat_answers, measure_surprise
from helpers.experiments.assistant.setup import FROM_BASE, INSTRUCTIONS, Setup, chat_setup, share_of_tasks
from helpers.experiments.study import Findings
from helpers.generation import reply, sample
from helpers.imports import data_of
from helpers.models import context_length
from helpers.pretrained import load_model
from helpers.profiles import Profile
from helpers.records import Measurement, Record
from helpers.tokenization import IGNORED
from helpers.training.demonstrations import finetune, gentle
from helpers.training.trainer import TrainingLog

NAME = smollm2.NAME
"""The real model, as `pretrained.find` knows it: SmolLM2-135M-Instruct (Ben Allal et al. 2025)."""

ASKED, AFTER_EXAMPLES, TUNED = "as it is, asked", "as it is, after four examples", "tuned"
OURS_FEW, OURS = "ours, the same demonstrations", "ours, ten times as many"
COLOURS = {
    ASKED: plotting.UNTRAINED,
    AFTER_EXAMPLES: plotting.RIVAL,
    TUNED: plotting.OTHER,
    OURS_FEW: plotting.PALETTE[5],
    OURS: plotting.OURS,
}
"""The ways of its study, ours among them, and their colours. The last is of another study."""

PROMPTS: list[str] = data_of(__name__)["prompts"]
"""Everyday requests, none of them a demonstration."""

SHOWN = 5
"""How many of them are shown with their answers."""

LIVE_ROWS, LIVE_TESTS = 140, 40
"""Demonstrations on which a chapter tunes the real model live, once; and those held out whose answers it reads."""

NEAREST = 12
"""The examples are drawn from so many that share most words with what is asked."""

FORMER_TOKENS = 40
"""How much of a former answer is judged."""


@dataclass(frozen=True)
class Real:
    """A chat model that is not ours, and what it is tuned and judged on."""

    setup: Setup
    texts: Forgetting
    """Plain text that has nothing to do with the demonstrations: docstrings."""

    def shown_answers(self, seed: int) -> Answers:
        """Returns the base's answers to the test, each after examples of its task, drawn from those most like it."""
        draw, rows = random.Random(seed), []
        for row in self.setup.test:
            kind = row["task"].partition(",")[0]
            pool = [example for example in self.setup.train if example["task"] == kind]
            shared = [-len(_asked(example) & _asked(row)) for example in pool]
            near = [pool[place] for place in np.argsort(shared, kind="stable")[:NEAREST]]
            shots = draw.sample(near, min(SHOTS, len(near)))
            turns = [turn for example in [*shots, row] for turn in _without_system(example["messages"])]
            rows.append({**row, "messages": turns})
        return chat_answers(self.setup.base, self.setup.tokenizer, rows)

    @cached_property
    def former(self) -> list[str]:
        """The base's own answers to `PROMPTS`, before it is tuned."""
        return self.answers(self.setup.base, PROMPTS)

    def answers(self, model: PreTrainedModel, prompts: Sequence[str]) -> list[str]:
        """Returns a model's likeliest answers to questions."""
        asked = [[{"role": "user", "content": prompt}] for prompt in prompts]
        return reply(model, self.setup.tokenizer, asked, min(FORMER_TOKENS, context_length(model) // 2))

    def surprise_at_former(self, model: PreTrainedModel) -> np.ndarray:
        """Returns the bits per token that a model needs for each of the former answers, (prompts,), their end left out.

        A former answer that was cut off has none.
        """
        talks = [
            {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]}
            for asked, said in zip(PROMPTS, self.former, strict=True)
        ]
        rows = self.setup.encoded(talks)
        wanted = [np.flatnonzero(np.array(row.labels[1:]) != IGNORED) for row in rows]
        bits = row_bits(model, [row.input_ids for row in rows])
        # The end is all that there is of an empty answer.
        return np.array(
            [each[places[: max(1, len(places) - 1)]].mean() for each, places in zip(bits, wanted, strict=True)]
        )

    def measure(self, record: Record, model: PreTrainedModel, seed: int) -> None:
        """Adds to the record what a tuned model has forgotten: of plain text, and its drift, over the prompts."""
        self.texts.measure(record, "real, tuned", model, seed, method=TUNED)
        before, after = (self.surprise_at_former(each) for each in (self.setup.base, model))
        known: dict[str, Any] = {"unit": "bits per token", "seeds": (seed,)}
        record.mean("drift.real, tuned", after - before, PROMPTS, metric="drift", **known)
        record.mean("former answers.real, as it is", before, PROMPTS, metric="former answers", **known)


def make_real(
    profile: Profile,
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    demonstrations: Corpus,
    shares: tuple[float, float],
    seed: int,
) -> Real:
    """Puts together what a chat model is tuned and judged on: shares of the demonstrations, and of the test."""
    whole = chat_setup(base, tokenizer, demonstrations)
    parts: list[list[Demonstration]] = [share_of_tasks(whole.train, shares[0]), share_of_tasks(whole.test, shares[1])]
    documents = corpora.load(":".join(["pydocs", ",".join(profile.packages)]).rstrip(":")).splits["test"]
    unread = {"pydocs": held_out(documents, profile.heldout_bytes // 10, seed)}
    setup = Setup(base, whole.tokenizer, parts[0], parts[1], [], unread, whole.context, 0)
    return Real(setup, setup.forgetting)


@dataclass(frozen=True)
class Live:
    """The real model, tuned within a chapter, and how that went."""

    real: Real
    model: PreTrainedModel
    log: TrainingLog
    measured: list[Measurement]

    def side_by_side(
        self, before: PreTrainedModel, after: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
    ) -> pd.DataFrame:
        """Returns answers to everyday questions, by model and time: those of another model stand beside the real one's.

        The other one's base is asked as its text has questions.
        """
        asked = PROMPTS[:SHOWN]
        plain = [f"Question: {prompt}\nAnswer:" for prompt in asked]
        chats = [[{"role": "user", "content": prompt}] for prompt in asked]
        answers = {
            ("ours", "before"): sample(before, tokenizer, plain, FORMER_TOKENS, 0, temperature=0.0),
            ("ours", "after"): reply(after, tokenizer, chats, FORMER_TOKENS),
            ("real", "before"): self.real.former[:SHOWN],
            ("real", "after"): self.real.answers(self.model, asked),
        }
        lines = {who: [text.strip().partition("\n")[0] for text in texts] for who, texts in answers.items()}
        return pd.DataFrame(lines, index=asked)


def tune_live(record: Record, demonstrations: Corpus, seed: int) -> Live | None:
    """Tunes the real model on some of a chapter's demonstrations, and measures it before and after.

    Where it is not installed, a sentence says how to get it; there and at `smoke` nothing is done.
    """
    if record.unproven:
        return None
    if not smollm2.available():
        print(smollm2.MISSING)
        return None
    base, tokenizer = load_model(NAME)
    shares = tuple(most / len(demonstrations.splits[of]) for most, of in ((LIVE_ROWS, "train"), (LIVE_TESTS, "test")))
    real = make_real(record.profile, base, tokenizer, demonstrations, cast("tuple[float, float]", shares), seed)
    setup, learner = real.setup, real.setup.adapters(seed)
    rows, known = setup.encoded(setup.train), set(record.measurements)
    log = finetune(learner, setup.tokenizer, rows, gentle(base, 1), seed)
    model = cast("PreTrainedModel", learner.get_base_model())  # LoRA's matrices are in it
    surprise = measure_surprise(setup.tokenizer, setup.test, setup.context, {ASKED: base, TUNED: model}, seed)
    record.measurements |= {found.name: found for found in surprise}
    real.measure(record, model, seed)
    return Live(real, model, log, [made for name, made in record.measurements.items() if name not in known])


READING = (
    "**Reading.** On average over the five kinds of task, the real model is right in {asked:.0%} when asked as it is, "
    "in {examples:.0%} after four examples, and in {tuned:.0%} after its training; ours, after the same "
    "demonstrations, in {ours:.0%}. The real model needs {plain:+.3f} bits per byte more for docstrings; its own "
    "former answers surprise it by {drift:+.2f} bits a token more, and by {before:.2f} before. The test is small; its "
    "independent groups: {groups}."
)
"""What the study found, in a sentence with the names that `told` gives."""


def told(found: Findings, tasks: Collection[str]) -> dict[str, Any]:
    """Returns the numbers for the reading: mean accuracies over tasks, what was forgotten, groups by task."""

    def average(way: str) -> float:
        return float(np.mean([found.mean(task=task, method=way, metric="accuracy").value for task in tasks]))

    forgotten = {"plain": found.mean(corpus="pydocs", metric="forgotten")}
    forgotten |= {"drift": found.mean(metric="drift"), "before": found.mean(metric="former answers")}
    ways = {"asked": ASKED, "examples": AFTER_EXAMPLES, "tuned": TUNED, "ours": OURS_FEW}
    right = {name: average(way) for name, way in ways.items()}
    counts = {each.about["task"]: each.n for _, each in found.of_each() if each.about.get("metric") == "gap"}
    groups = ", ".join(f"{task} {counts[task]}" for task in tasks)
    return right | forgotten | {"groups": groups}


def gaps(found: Findings, tasks: Sequence[str]) -> dict[str, list[Measurement]]:
    """Returns by how much the study's tuned model is ahead, by rival, in each of the tasks."""
    rivals = (AFTER_EXAMPLES, OURS_FEW)
    return {of: [found.mean(task=task, metric="gap", rival=of) for task in tasks] for of in rivals}


def evidence(found: Findings | None, tasks: Collection[str]) -> str:
    """Returns the study's accuracies for a verdict; nothing without the study."""
    if found is None:
        return ""
    lines = [f"SmolLM2, 134.5 million numbers, {len(found.arms)} seeds of its training, the same questions."]
    for task in tasks:
        tuned, shown, asked, ours = (
            found.mean(task=task, method=way, metric="accuracy") for way in (TUNED, AFTER_EXAMPLES, ASKED, OURS_FEW)
        )
        lines.append(
            f"{task}: tuned {tuned:.0%}, after four examples {shown:.0%}, asked as it is {asked:.0%}; ours after the "
            f"same demonstrations {ours:.0%}."
        )
    return "\n".join(lines)


def study_figure(found: Findings, ours: Findings) -> Figure:
    """Draws the accuracy of the real model in each task, before and after, beside ours; faint, the single seeds.

    Instructions are left out: their forms were agreed on in our demonstrations, and nobody has told the real model.
    """
    left_out = ["echo", *INSTRUCTIONS.values()]
    tables = [(records.frame(found.over_seeds()), found.frame()), (records.frame(ours.over_seeds()), ours.frame())]
    both = []
    for real_table, our_table in zip(*tables, strict=True):
        tuned = our_table[our_table["way"] == FROM_BASE].assign(method=OURS)
        shares = pd.concat([real_table, tuned]).query("metric == 'accuracy'")
        both.append(shares[~shares["task"].isin(left_out)])
    figure, axes = plotting.figure(height=0.55 * both[0]["task"].nunique() + 1.2)
    plotting.dots(axes, both[0], "task", "method", COLOURS, each=both[1])
    axes.set(xlabel="accuracy", xlim=(-0.02, 1.02))
    return figure


def _asked(row: Demonstration) -> set[str]:
    """Returns the words of what is asked in the end."""
    return set(row["messages"][-2]["content"].lower().split())


def _without_system(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Lets the user say what a conversation's system message says, where several conversations follow one another."""
    first, *others = messages
    if first["role"] != "system":
        return [dict(message) for message in messages]
    content = f"{first['content']}\n\n{others[0]['content']}"
    return [{"role": "user", "content": content}, *map(dict, others[1:])]
