"""What can an assistant do? Answers to a test's questions, judged; beside the base model's, which is shown examples.

A base model is not asked in the chat's form, which it has never seen, but in the one that its text may have: questions
with their answers, one after the other, of which the last answer is missing (Brown et al. 2020, section 2).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers.corpora.kinds.rules import right, value_of
from helpers.evaluation.likelihood import row_bits
from helpers.files import WorkbookError
from helpers.generation import reply, sample
from helpers.models import context_length
from helpers.progress import each
from helpers.records import ACCURACY, Measurement, Record
from helpers.statistics import ratio_interval
from helpers.tokenization import IGNORED, RolesRefused, encode_conversation, encode_documents

SHOTS = 4
"""Examples that a base model is shown."""

SPARE = 8
"""Tokens by which an answer may be longer than the longest demonstrated one before it is stopped."""

TOGETHER = 64
"""Prompts that a base model goes on from together."""

WELL_FORMED = "well-formed"
"""What is measured of expressions beside their accuracy."""

Demonstration = Mapping[str, Any]
"""A row of a corpus of kind `prompts`: `messages`, of which the last is the demonstrated answer, `task`, `group`,
`check`. In a test, a question with the answer that is wanted."""


@dataclass(frozen=True)
class Answers:
    """Answers to the questions of a test: one text for each row."""

    rows: Sequence[Demonstration]
    texts: Sequence[str]

    @property
    def credits(self) -> np.ndarray:
        """1 for each right answer, 0 for each wrong one, (rows,)."""
        pairs = zip(self.rows, self.texts, strict=True)
        return np.array([right(text, demonstrated(row), row["check"]) for row, text in pairs], float)

    @property
    def groups(self) -> list[str]:
        """Of each row, what was sampled: its person, its rule."""
        return [row["group"] for row in self.rows]

    @property
    def tasks(self) -> list[str]:
        """The tasks, in the order of the rows."""
        return list(dict.fromkeys(row["task"] for row in self.rows))

    def of(self, task: str) -> Answers:
        """Returns the part about one task."""
        places = [place for place, row in enumerate(self.rows) if row["task"] == task]
        return Answers([self.rows[place] for place in places], [self.texts[place] for place in places])


def demonstrated(row: Demonstration) -> str:
    """Returns the answer that was shown as good."""
    return str(row["messages"][-1]["content"])


def chat_answers(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, rows: Sequence[Demonstration]) -> Answers:
    """Lets a model that was fine-tuned on demonstrations answer as an assistant, always with the likeliest words."""
    asked = [row["messages"][:-1] for row in rows]
    return Answers(rows, reply(model, tokenizer, asked, room_for(tokenizer, rows, context_length(model))))


def few_shot_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    rows: Sequence[Demonstration],
    shown: Sequence[Demonstration],
    seed: int,
    shots: int = SHOTS,
) -> Answers:
    """Lets a base model go on where questions and answers of the same task stand; the next line is its answer.

    Before each question stand so many `shots`, fewer where they do not fit, drawn from those `shown` without itself.

    Raises:
        WorkbookError: a question alone is too long.
    """
    room = room_for(tokenizer, rows, context_length(model))
    prompts = _prompts(tokenizer, rows, shown, random.Random(seed), shots, context_length(model) - room)
    answers = [""] * len(prompts)
    by_length = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    for at in each(range(0, len(prompts), TOGETHER), "answering", "batches"):
        places = by_length[at : at + TOGETHER]
        written = sample(model, tokenizer, [prompts[place] for place in places], room, seed, temperature=0.0)
        for place, text in zip(places, written, strict=True):
            answers[place] = text.strip().partition("\n")[0]
    return Answers(rows, answers)


def _prompts(
    tokenizer: PreTrainedTokenizerFast,
    rows: Sequence[Demonstration],
    shown: Sequence[Demonstration],
    draw: random.Random,
    shots: int,
    longest: int,
) -> list[str]:
    """Returns each question after examples of its task, as many as fit into so many tokens."""
    pools: dict[str, list[Demonstration]] = {}
    for example in shown:
        pools.setdefault(_kind(example), []).append(example)
    prompts = []
    for row in rows:
        asked = row["messages"][:-1]
        pool = [example for example in pools.get(_kind(row), shown) if example["messages"][:-1] != asked]
        texts = [_as_text(example) + demonstrated(example) for example in draw.sample(pool, min(shots, len(pool)))]
        texts.append(_as_text(row))
        while len(_encoded(tokenizer, texts)) > longest:
            if len(texts) == 1:
                raise WorkbookError(f"A question is too long: more than {longest:,} tokens. Shorten it: {texts[0]!r}")
            texts.pop(0)
        prompts.append("\n".join(texts).rstrip())
    return prompts


def room_for(tokenizer: PreTrainedTokenizerFast, rows: Sequence[Demonstration], context: int) -> int:
    """Returns the tokens that an answer may have: some more than the longest demonstrated, at most half the context."""
    encoded = tokenizer([demonstrated(row) for row in rows], add_special_tokens=False)["input_ids"]
    return min(max(map(len, encoded)) + SPARE, context // 2)


def fitting(tokenizer: PreTrainedTokenizerFast, rows: Sequence[Demonstration], context: int) -> list[Demonstration]:
    """Returns the questions that leave room for an answer, both asked as a chat and as a base model is asked."""
    longest = context - room_for(tokenizer, rows, context) if rows else context

    def tokens(row: Demonstration) -> int:
        try:
            as_chat = encode_conversation(tokenizer, row["messages"][:-1], answer=True)[0]
        except RolesRefused:
            return longest + 1
        return max(len(as_chat), len(_encoded(tokenizer, [_as_text(row)])))

    return [row for row in rows if tokens(row) <= longest]


def _kind(row: Demonstration) -> str:
    """Returns a task's name up to a comma: `instructions, seen` is shown examples of `instructions`."""
    return str(row["task"]).partition(",")[0]


def _as_text(row: Demonstration) -> str:
    """Returns a conversation without its last answer, as the base model's text has questions."""
    turns = [("Answer: " if m["role"] == "assistant" else "Question: ") + m["content"] for m in row["messages"]]
    return "\n".join([*turns[:-1], "Answer: "])


def _encoded(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[int]:
    return encode_documents(tokenizer, ["\n".join(texts)])[0]


def measure_accuracy(record: Record, method: str, answers: Answers, seed: int) -> None:
    """Adds to the record the accuracy in each task, `<task>.<method>`, with its interval over groups.

    Where a task asks for expressions, also the share of answers that are some, `<task>, well-formed.<method>`.
    """
    for task in answers.tasks:
        part = answers.of(task)
        known: dict[str, Any] = {"seeds": (seed,), "task": task, "method": method}
        record.share(f"{task}.{method}", part.credits, part.groups, metric=ACCURACY, **known)
        if all('"value"' in row["check"] for row in part.rows):
            formed = np.array([value_of(text) is not None for text in part.texts], float)
            name = f"{task}, {WELL_FORMED}.{method}"
            record.share(name, formed, part.groups, unit="share", metric=WELL_FORMED, **known)


def bits_per_token(model: PreTrainedModel, rows: Sequence[tuple[list[int], list[int]]]) -> float:
    """Returns how many bits a causal model needs on average for a token that is a target; see `target_bits`."""
    bits, targets = target_bits(model, rows)
    return float(bits.sum() / targets.sum())


def target_bits(model: PreTrainedModel, rows: Sequence[tuple[list[int], list[int]]]) -> tuple[np.ndarray, np.ndarray]:
    """Returns how many bits a causal model needs for the targets of each row, such as answers, and their number.

    Each row has its tokens, and the same again, `IGNORED` where they are no targets. Both results are (rows,).
    """
    spent = row_bits(model, [tokens for tokens, _ in rows])
    wanted = [np.array(labels[1:]) != IGNORED for _, labels in rows]
    bits = [each[mine].sum() for each, mine in zip(spent, wanted, strict=True)]
    return np.array(bits), np.array([mine.sum() for mine in wanted])


def measure_surprise(
    tokenizer: PreTrainedTokenizerFast,
    rows: Sequence[Demonstration],
    context: int,
    models: Mapping[str, PreTrainedModel],
    seed: int,
) -> list[Measurement]:
    """Returns the bits per token of answers by two models, named by method, and how many more the second needs.

    Intervals are over groups, the last one paired by conversation. Those longer than the context are left out.
    """
    encoded = [(row["group"], *encode_conversation(tokenizer, row["messages"])) for row in rows]
    fit = [each for each in encoded if len(each[1]) <= context]
    held = [(ids, [token if mine else IGNORED for token, mine in zip(ids, said, strict=True)]) for _, ids, said in fit]
    groups = [group for group, _, _ in fit]
    (one, other), ((before, targets), (after, _)) = models, (target_bits(model, held) for model in models.values())
    found = []
    for method, bits in ((one, before), (other, after), (f"{other} less {one}", after - before)):
        value, interval = float(bits.sum() / targets.sum()), ratio_interval(bits, targets, groups)
        about = {"metric": "bits per token of answers", "method": method}
        name, n = f"held-out answers.{method}", len(set(groups))
        found.append(Measurement(name, value, "bits per token", interval, n, (seed,), about=about))
    return found
