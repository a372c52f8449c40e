"""What one demonstration is, and what all kinds of them are made with; how they are worded is in `draft.toml`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from helpers.corpora.corpus import place_of
from helpers.corpora.rows import Conversation, Message
from helpers.corpora.town.grammar import Grammar, Sampler
from helpers.imports import data_of

TRAIN, TEST = "train", "test"

WORDINGS = data_of(__name__)
"""How a task is set, by task and split; of `questions` also by relation, of `instructions` by what is instructed."""

FOR_TEST = 0.2
"""Share of the strangers, and of the policies of a shop, that are in the test alone."""


@dataclass(frozen=True)
class Draft:
    """A demonstration.

    Attributes:
        turns: what the user says and a good answer, once or several times; the last answer is what a test asks for.
        group: what was sampled (person, template, policy): the unit that a bootstrap draws.
        check: rules by which other answers are judged (`helpers.corpora.kinds.rules`); none for word by word.
    """

    task: str
    turns: Sequence[tuple[str, str]]
    group: str
    check: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""

    def conversation(self, split: str, place: str) -> Conversation:
        """Returns it as the loader has conversations; a check goes with `TEST` alone."""
        messages = [Message("system", self.system)] if self.system else []
        for prompt, answer in self.turns:
            messages += [Message("user", prompt), Message("assistant", answer)]
        check = json.dumps(self.check, sort_keys=True) if self.check and split == TEST else ""
        return Conversation(tuple(messages), self.group, split, place, self.task, check)


Writer = Callable[[Grammar, Sampler, str], Iterator[Draft]]
"""Yields drafts for one of the splits, most of them without end; some may come twice."""


def belongs(name: str, split: str) -> bool:
    """Returns whether the split is the one that a stranger or a policy of that name is for."""
    return (place_of(name) < FOR_TEST) == (split == TEST)


def worded(sampler: Sampler, task: str, split: str, **slots: object) -> str:
    """Draws a wording of a task, and fills its slots."""
    return sampler.choose(WORDINGS[task][split]).format(**slots)
