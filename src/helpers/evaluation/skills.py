"""What can an assistant do? Questions of a test, answered and judged; beside the base model, shown a few examples.

A base model is not asked in the chat's form, which it has never seen, but in the one that its text may have: questions
with their answers, one after the other, of which the last answer is missing (Brown et al. 2020, section 2).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.corpora.kinds.rules import right, value_of
from helpers.evaluation.likelihood import row_bits
from helpers.files import WorkbookError
from helpers.generation import reply, sample
from helpers.models import context_length
from helpers.records import Measurement, Record
from helpers.statistics import ratio_interval, share_interval
from helpers.tokenization import IGNORED, encode_conversation, encode_documents
from helpers.training.demonstrations import EncodedRow

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

SHOTS = 4
"""Examples that a base model is shown."""

SPARE = 8
"""Tokens by which an answer may be longer than the longest demonstrated one before it is stopped."""

TOGETHER = 64
"""Prompts that a base model goes on from together."""

FEWEST = 2
"""Groups from which a share has an interval."""

WELL_FORMED = "well-formed"
"""What is measured of expressions beside whether they are right."""

Question = Mapping[str, Any]
"""A row of a corpus of kind `prompts`: `messages`, of which the last is the demonstrated answer, `task`, `group`,
`check`."""


@dataclass(frozen=True)
class Sitting:
    """Answers to the questions of a test.

    Attributes:
        questions: the questions.
        answers: one each.
    """

    questions: Sequence[Question]
    answers: Sequence[str]

    @property
    def credits(self) -> np.ndarray:
        """1 for each right answer, 0 for each wrong one, (questions,)."""
        pairs = zip(self.questions, self.answers, strict=True)
        return np.array([right(answer, demonstrated(question), question["check"]) for question, answer in pairs], float)

    @property
    def tasks(self) -> list[str]:
        """The tasks, in the order of the questions."""
        return list(dict.fromkeys(question["task"] for question in self.questions))

    def of(self, task: str) -> Sitting:
        """Returns the part about one task."""
        places = [place for place, question in enumerate(self.questions) if question["task"] == task]
        return Sitting([self.questions[place] for place in places], [self.answers[place] for place in places])


def demonstrated(question: Question) -> str:
    """Returns the answer that was shown as good."""
    return str(question["messages"][-1]["content"])


def sit(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, questions: Sequence[Question]) -> Sitting:
    """Lets a model answer as an assistant, always with the likeliest words.

    Args:
        model: tuned on demonstrations.
        tokenizer: its tokenizer, with the chat template that it was tuned with.
        questions: what is asked.
    """
    asked = [question["messages"][:-1] for question in questions]
    return Sitting(questions, reply(model, tokenizer, asked, room_for(tokenizer, questions, context_length(model))))


def sit_by_examples(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    questions: Sequence[Question],
    shown: Sequence[Question],
    seed: int,
    shots: int = SHOTS,
) -> Sitting:
    """Lets a base model go on where questions and answers of the same task stand; the next line is its answer.

    Args:
        model: a causal model that was not tuned.
        tokenizer: its tokenizer, with begin and padding tokens.
        questions: what is asked.
        shown: examples to draw from; the question itself is never shown.
        seed: of the draw.
        shots: examples for each question, fewer where they do not fit; 0 for the question alone.

    Raises:
        WorkbookError: a question alone is too long.
    """
    room = room_for(tokenizer, questions, context_length(model))
    prompts = _prompts(tokenizer, questions, shown, random.Random(seed), shots, context_length(model) - room)
    answers = [""] * len(prompts)
    by_length = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    for at in range(0, len(prompts), TOGETHER):
        places = by_length[at : at + TOGETHER]
        written = sample(model, tokenizer, [prompts[place] for place in places], room, seed, temperature=0.0)
        for place, text in zip(places, written, strict=True):
            answers[place] = text.strip().partition("\n")[0]
    return Sitting(questions, answers)


def _prompts(
    tokenizer: PreTrainedTokenizerFast,
    questions: Sequence[Question],
    shown: Sequence[Question],
    draw: random.Random,
    shots: int,
    longest: int,
) -> list[str]:
    """Returns each question after examples of its task, as many as fit into so many tokens."""
    pools: dict[str, list[Question]] = {}
    for example in shown:
        pools.setdefault(_kind(example), []).append(example)
    prompts = []
    for question in questions:
        asked = question["messages"][:-1]
        pool = [example for example in pools.get(_kind(question), shown) if example["messages"][:-1] != asked]
        texts = [_as_text(example) + demonstrated(example) for example in draw.sample(pool, min(shots, len(pool)))]
        texts.append(_as_text(question))
        while len(_encoded(tokenizer, texts)) > longest:
            if len(texts) == 1:
                raise WorkbookError(f"A question is too long: more than {longest:,} tokens. Shorten it: {texts[0]!r}")
            texts.pop(0)
        prompts.append("\n".join(texts).rstrip())
    return prompts


def room_for(tokenizer: PreTrainedTokenizerFast, questions: Sequence[Question], context: int) -> int:
    """Returns the tokens that an answer may have: a little more than the longest demonstrated one, or half the context.

    Args:
        tokenizer: encodes the answers.
        questions: with demonstrated answers.
        context: tokens that the model reads at once.
    """
    encoded = tokenizer([demonstrated(question) for question in questions], add_special_tokens=False)["input_ids"]
    return min(max(map(len, encoded)) + SPARE, context // 2)


def fitting(tokenizer: PreTrainedTokenizerFast, questions: Sequence[Question], context: int) -> list[Question]:
    """Returns the questions that leave room for an answer, asked as a chat and as a base model is asked.

    Args:
        tokenizer: with a chat template.
        questions: what is to be asked.
        context: tokens that the model reads at once.
    """
    longest = context - room_for(tokenizer, questions, context) if questions else context

    def tokens(question: Question) -> int:
        as_chat = encode_conversation(tokenizer, question["messages"][:-1], answer=True)[0]
        return max(len(as_chat), len(_encoded(tokenizer, [_as_text(question)])))

    return [question for question in questions if tokens(question) <= longest]


def _kind(question: Question) -> str:
    return str(question["task"]).partition(",")[0]


def _as_text(question: Question) -> str:
    """Returns a conversation without its last answer, as the base model's text has questions."""
    turns = [("Answer: " if m["role"] == "assistant" else "Question: ") + m["content"] for m in question["messages"]]
    return "\n".join([*turns[:-1], "Answer: "])


def _encoded(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[int]:
    return encode_documents(tokenizer, ["\n".join(texts)])[0]


def measure(record: Record, who: str, sitting: Sitting, seed: int) -> None:
    """Adds to the record the share of right answers of each task, with intervals over groups.

    Args:
        record: gets `<task>.<who>`, and `<task>, well-formed.<who>` of tasks whose answers are expressions.
        who: whose answers they are.
        sitting: the answers.
        seed: behind them.
    """
    for task in sitting.tasks:
        part = sitting.of(task)
        _measure_share(record, f"{task}.{who}", part.credits, part.questions, seed)
        if all('"value"' in question["check"] for question in part.questions):
            formed = np.array([value_of(answer) is not None for answer in part.answers], float)
            _measure_share(record, f"{task}, {WELL_FORMED}.{who}", formed, part.questions, seed)


def _measure_share(record: Record, name: str, credits: np.ndarray, questions: Sequence[Question], seed: int) -> None:
    groups = [question["group"] for question in questions]
    interval = share_interval(credits, groups) if len(set(groups)) >= FEWEST else None
    record.measure(name, credits.mean(), "share right", interval=interval, n=len(set(groups)), seeds=(seed,))


def measure_gap(record: Record, name: str, some: Sitting, others: Sitting, seed: int) -> Measurement:
    """Adds to the record how far one share of right answers is above another, on the same questions, over groups.

    Args:
        record: gets the measurement.
        name: of the measurement.
        some: answers.
        others: another's answers to the same questions.
        seed: behind both.
    """
    gap = some.credits - others.credits
    groups = [question["group"] for question in some.questions]
    interval = ratio_interval(gap, np.ones(len(gap)), groups) if len(set(groups)) >= FEWEST else None
    known = {"interval": interval, "n": len(set(groups)), "seeds": (seed,), "null": 0.0}
    return record.measure(name, gap.mean(), "share right", **known)


def surprise(model: PreTrainedModel, rows: Sequence[EncodedRow]) -> float:
    """Returns how many bits a model needs on average for a token of the answers.

    Args:
        model: a causal model.
        rows: conversations, as `training.demonstrations.encode_conversations` gives them.
    """
    spent = row_bits(model, [row.input_ids for row in rows])
    wanted = [np.array(row.labels[1:]) != IGNORED for row in rows]
    return float(sum(bits[mine].sum() for bits, mine in zip(spent, wanted, strict=True)) / sum(map(np.sum, wanted)))


def decide(gaps: Mapping[str, Measurement], shares: Mapping[str, Measurement], enough: float = 0.5) -> str:
    """Returns the verdict on the claim that demonstrations adapt one model to several tasks.

    Args:
        gaps: by task, how far the tuned model is above the base model that was shown examples.
        shares: by task, the tuned model's share of right answers.
        enough: share that the tuned model is to reach.

    Returns:
        `supported` if in every task the gap's interval is above 0, and the share's above `enough`; `refuted` if in no
        task the gap's is; else `not distinguishable`.
    """
    better = [gap.interval is not None and gap.interval.low > 0 for gap in gaps.values()]
    able = [share.interval is not None and share.interval.low > enough for share in shares.values()]
    if not any(better):
        return "refuted"
    return "supported" if all(better) and all(able) else "not distinguishable"
