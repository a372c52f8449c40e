"""Is the right answer recognised among ten? By its likelihood after the question, and again after no question at all.

The likeliest answer after a question is often one that is likely anyway: short, or true of everything. So what counts
is how many bits the question saves: those of the answer after an empty question less those after this one, which is
the pointwise mutual information of question and answer (Church and Hanks 1990; to choose answers by it, Brown et al.
2020, section 2.4, and Holtzman et al. 2021, 'Surface form competition'). The likelihood alone is given beside it.

The model need not write at all for this. The empty question is one turn, however many turns a prompt has.
"""

import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers.evaluation.choices import Choice, score_choices
from helpers.evaluation.scoring import Request, log_likelihoods
from helpers.evaluation.skills import Demonstration, demonstrated
from helpers.files import WorkbookError
from helpers.tokenization import encode_conversation

OPTIONS = 10
"""Answers to choose from: one who knows nothing is right once in so many."""

Prompt = Sequence[Mapping[str, str]]
NOTHING: Prompt = [{"role": "user", "content": ""}]
"""The empty question."""

PromptedBits = Callable[[Sequence[Prompt], Sequence[str]], np.ndarray]
"""Gives the bits of each answer after its prompt, (answers,)."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True)
class AnswerChoice(Choice):
    """A prompt with answers to choose from, of which the first is right."""

    prompt: Prompt = ()


class Recognised(NamedTuple):
    """What was recognised, (questions,): of each 1, 0, or of a tie its share, as `choices.score_choices` has it.

    Chosen is the answer for which the question saves most bits (`by_gain`, the main result), or the likeliest.
    """

    by_gain: np.ndarray
    by_likelihood: np.ndarray


def make_questions(rows: Sequence[Demonstration], count: int, seed: int) -> list[AnswerChoice]:
    """Draws demonstrations, and for each nine wrong answers: those of others, from other groups as far as there are.

    The rows are of one task, and of a split that the model was not trained on. There are `count` questions, fewer where
    there are fewer rows; a smaller draw is the beginning of a larger one.

    Raises:
        WorkbookError: there are fewer than ten different answers.
    """
    order = random.Random(seed).sample(range(len(rows)), len(rows))
    return [_question(rows[place], rows, f"{seed} {place}") for place in order[:count]]


def _question(right: Demonstration, rows: Sequence[Demonstration], seed: str) -> AnswerChoice:
    others = random.Random(seed).sample(rows, len(rows))
    others.sort(key=lambda other: other["group"] == right["group"])  # stable, so in random order but for that
    options = list(dict.fromkeys(demonstrated(row) for row in (right, *others)))
    if len(options) < OPTIONS:
        raise WorkbookError(
            f"To choose among {OPTIONS} answers there must be as many that differ; there are {len(options)}. "
            "Give more conversations."
        )
    return AnswerChoice(tuple(options[:OPTIONS]), right["group"], right["task"], right["messages"][:-1])


def prompted_bits(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, context: int) -> PromptedBits:
    """Returns what gives a causal model's bits of answers after their prompts, by its chat template.

    The token that ends an answer is included. Of a conversation longer than the context, the last tokens are read.
    """

    def bits_of(prompts: Sequence[Prompt], answers: Sequence[str]) -> np.ndarray:
        requests = []
        for prompt, answer in zip(prompts, answers, strict=True):
            ids, said = encode_conversation(tokenizer, [*prompt, {"role": "assistant", "content": answer}])
            before = sum(encode_conversation(tokenizer, prompt)[1])  # what it said in earlier turns is not the answer
            places = np.flatnonzero(said)[before:]
            read = ids[: places[-1] + 1][-context:]
            requests.append(Request(read, min(len(places), len(read) - 1)))
        return log_likelihoods(model, requests) / -math.log(2)

    return bits_of


def recognise(questions: Sequence[AnswerChoice], bits_of: PromptedBits) -> Recognised:
    """Returns which questions' answers are recognised by what gives the bits."""
    options = [option for question in questions for option in question.options]
    after = bits_of([question.prompt for question in questions for _ in question.options], options)
    distinct = list(dict.fromkeys(options))
    alone = dict(zip(distinct, bits_of([NOTHING] * len(distinct), distinct), strict=True))
    lost = after - np.array([alone[option] for option in options])
    return Recognised(score_choices(questions, lambda _: lost), score_choices(questions, lambda _: after))


def recognise_by_words(questions: Sequence[AnswerChoice], known: Sequence[Demonstration]) -> np.ndarray:
    """Returns which answers are recognised by the words that they share with the question, as `score_choices` does.

    Identifiers count as the words they are made of. The answer with the largest cosine of TF-IDF vectors is chosen;
    where no answer shares a word, all are tied. How rare words are is learned from `known`, of the train split.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    counter = TfidfVectorizer(analyzer=identifier_words, sublinear_tf=True)
    counter.fit(message["content"] for row in known for message in row["messages"])
    asked = counter.transform(" ".join(message["content"] for message in question.prompt) for question in questions)
    offered = counter.transform(option for question in questions for option in question.options)
    question_of = np.repeat(np.arange(len(questions)), [len(question.options) for question in questions])
    cosines = np.asarray(asked[question_of].multiply(offered).sum(axis=1)).ravel()  # rows are of length 1
    return score_choices(questions, lambda _: -cosines)


def identifier_words(text: str) -> list[str]:
    """Returns the words of a text in lower case; identifiers are split at underscores and in camel case."""
    return [word.lower() for word in _WORD.findall(text)]
