"""Is the right answer recognised among ten? Each is priced after the question, and again after no question at all.

The likeliest answer after a question is often one that is likely anyway: short, or true of everything. So what counts
is how much cheaper the question makes an answer: the bits after an empty question less the bits after this one, which
is the pointwise mutual information of question and answer (Church and Hanks 1990; to choose answers by it, Brown et al.
2020, section 2.4, and Holtzman et al. 2021, 'Surface form competition'). The likelihood alone is told beside it.

The model need not write at all for this. The empty question is one turn, however many turns a prompt has.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from helpers.corpora.rows import Conversation, Message
from helpers.evaluation.choices import Choice, score_choices
from helpers.evaluation.likelihood import row_bits
from helpers.files import WorkbookError
from helpers.tokenization import encode_conversation

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

OPTIONS = 10
"""Answers to choose from: one who knows nothing is right once in so many."""

Prompt = tuple[Message, ...]
NOTHING: Prompt = (Message("user", ""),)
"""The empty question."""

Pricer = Callable[[Sequence[Prompt], Sequence[str]], np.ndarray]
"""Gives the bits of each answer after its prompt, (answers,)."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True)
class Question(Choice):
    """A question of which answer is to it: the right one is the first of its options.

    Attributes:
        prompt: what is asked.
    """

    prompt: Prompt = ()


class Recognised(NamedTuple):
    """What was recognised: of each question 1, 0, or of a tie its share, as `choices.score_choices` has it.

    Attributes:
        by_gain: where the answer counts that the question makes cheaper by most, (questions,). The main result.
        by_likelihood: where the cheapest counts, (questions,).
    """

    by_gain: np.ndarray
    by_likelihood: np.ndarray


def make_questions(conversations: Sequence[Conversation], count: int, seed: int) -> list[Question]:
    """Draws conversations, and for each nine wrong answers: those of others, from other groups as far as there are.

    Args:
        conversations: of one task and a split that the model was not trained on.
        count: how many questions; fewer where there are fewer conversations.
        seed: of the draws. A smaller draw is the beginning of a larger one.

    Returns:
        The questions; `group` is that of the conversation, `kind` its task.

    Raises:
        WorkbookError: there are fewer than ten different answers.
    """
    order = random.Random(seed).sample(range(len(conversations)), len(conversations))
    return [_question(conversations[place], conversations, f"{seed} {place}") for place in order[:count]]


def _question(right: Conversation, conversations: Sequence[Conversation], seed: str) -> Question:
    others = random.Random(seed).sample(conversations, len(conversations))
    others.sort(key=lambda other: other.group == right.group)  # stable, so in random order but for that
    options = list(dict.fromkeys(conversation.messages[-1].content for conversation in (right, *others)))
    if len(options) < OPTIONS:
        raise WorkbookError(
            f"To choose among {OPTIONS} answers there must be as many that differ; there are {len(options)}. "
            "Give more conversations."
        )
    return Question(tuple(options[:OPTIONS]), right.group, right.task, right.messages[:-1])


def model_pricer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, context: int) -> Pricer:
    """Returns what prices answers, the token that ends them included, by a causal model and its chat template.

    Args:
        model: on any device.
        tokenizer: its tokenizer, with a chat template.
        context: tokens that the model is given at most; of a longer conversation, the last ones.
    """

    def price(prompts: Sequence[Prompt], answers: Sequence[str]) -> np.ndarray:
        rows, places = [], []
        for prompt, answer in zip(prompts, answers, strict=True):
            asked = [message._asdict() for message in prompt]
            ids, said = encode_conversation(tokenizer, [*asked, {"role": "assistant", "content": answer}])
            before = sum(encode_conversation(tokenizer, asked)[1])  # what it said in earlier turns is not the answer
            rows.append(ids[-context:])
            places.append(np.flatnonzero(said)[before:] - (len(ids) - len(rows[-1])))
        found = row_bits(model, rows)  # of each row all tokens but the first
        return np.array([bits[place[place > 0] - 1].sum() for bits, place in zip(found, places, strict=True)])

    return price


def recognise(questions: Sequence[Question], price: Pricer) -> Recognised:
    """Returns which questions' answers are recognised.

    Args:
        questions: what is asked.
        price: whom it is asked of.
    """
    options = [option for question in questions for option in question.options]
    after = price([question.prompt for question in questions for _ in question.options], options)
    distinct = list(dict.fromkeys(options))
    alone = dict(zip(distinct, price([NOTHING] * len(distinct), distinct), strict=True))
    lost = after - np.array([alone[option] for option in options])
    return Recognised(score_choices(questions, lambda _: lost), score_choices(questions, lambda _: after))


def recognise_by_words(questions: Sequence[Question], known: Sequence[Conversation]) -> np.ndarray:
    """Returns which answers are recognised by the words that they share with the question, without any model.

    Identifiers count as the words they are made of. The answer with the largest cosine of TF-IDF vectors is chosen;
    where no answer shares a word, all are tied.

    Args:
        questions: what is asked.
        known: conversations of the train split, from which the rarity of words is learned.

    Returns:
        Of each question 1, 0, or of a tie its share, (questions,).
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    counter = TfidfVectorizer(analyzer=identifier_words, sublinear_tf=True)
    counter.fit(message.content for conversation in known for message in conversation.messages)
    asked = counter.transform(" ".join(message.content for message in question.prompt) for question in questions)
    offered = counter.transform(option for question in questions for option in question.options)
    question_of = np.repeat(np.arange(len(questions)), [len(question.options) for question in questions])
    cosines = np.asarray(asked[question_of].multiply(offered).sum(axis=1)).ravel()  # rows are of length 1
    return score_choices(questions, lambda _: -cosines)


def identifier_words(text: str) -> list[str]:
    """Returns the words of a text in lower case; identifiers are split at underscores and in camel case."""
    return [word.lower() for word in _WORD.findall(text)]
