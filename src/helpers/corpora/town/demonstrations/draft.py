"""What one demonstration is, and what all kinds of them are made with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from helpers.corpora.corpus import place_of
from helpers.corpora.rows import Conversation, Message
from helpers.corpora.town import Contract, Grammar, World
from helpers.corpora.town.choices import Dice

TRAIN, TEST = "train", "test"

FOR_TEST = 0.2
"""Share of the strangers, and of the policies of a shop, that are in the test alone."""


@dataclass(frozen=True)
class Town:
    """What demonstrations are about.

    Attributes:
        world: the town.
        contract: says who is asked about in the chronicle.
        grammar: the chronicle's.
    """

    world: World
    contract: Contract
    grammar: Grammar


@dataclass(frozen=True)
class Draft:
    """A demonstration.

    Attributes:
        task: its kind.
        turns: what the user says and a good answer, once or several times; the last answer is what a test asks for.
        group: what was sampled (person, template, policy): the unit that a bootstrap draws.
        check: rules by which other answers are judged (`helpers.corpora.kinds.rules`); none for word by word.
        system: the system message; empty for none.
    """

    task: str
    turns: Sequence[tuple[str, str]]
    group: str
    check: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""

    def conversation(self, split: str, place: str) -> Conversation:
        """Returns it as the loader has conversations.

        Args:
            split: `TRAIN` or `TEST`; a check goes with the latter alone.
            place: where it stands, for the report.
        """
        messages = [Message("system", self.system)] if self.system else []
        for prompt, answer in self.turns:
            messages += [Message("user", prompt), Message("assistant", answer)]
        check = json.dumps(self.check, sort_keys=True) if self.check and split == TEST else ""
        return Conversation(tuple(messages), self.group, split, place, self.task, check)


Writer = Callable[[Town, Dice, str], Iterator[Draft]]
"""Yields drafts for one of the splits, most of them without end; some may come twice."""


def belongs(name: str, split: str) -> bool:
    """Returns whether what is drawn without end, and goes by that name, is for the split; it is for just one.

    Args:
        name: of a stranger or a policy.
        split: `TRAIN` or `TEST`.
    """
    return (place_of(name) < FOR_TEST) == (split == TEST)
