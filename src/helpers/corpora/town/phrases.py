"""In which words is it stated? Every sentence of the chronicle; those with several wordings are in `phrases.toml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from helpers.corpora.town.lexicon import KIN
from helpers.imports import data_of


class Event(NamedTuple):
    """What happens in the town: causes, each good for each outcome, and sequels, always by pronoun."""

    causes: Sequence[str]
    outcomes: Sequence[str]
    sequels: Sequence[str]


def by_relation(wordings: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Returns the wordings of each relation; those under `kin` serve all of `KIN`."""
    return {relation: ways for name, ways in wordings.items() for relation in (KIN if name == "kin" else [name])}


_DATA = data_of(__name__)
TEMPLATES = by_relation(_DATA["templates"])
HELD_OUT_TEMPLATES = by_relation(_DATA["held_out_templates"])
QUESTIONS = by_relation(_DATA["questions"])
NOTICES: Sequence[str] = _DATA["notices"]
EVENTS = [Event(**event) for event in _DATA["events"]]
HAPPENINGS: Sequence[str] = _DATA["happenings"]
SCENES: Sequence[str] = _DATA["scenes"]
ARRIVALS: Sequence[str] = _DATA["arrivals"]

QUESTION, ANSWER = "Question: ", "Answer: "
NOTICE = "Notice for {day}."
WALK = "A walk through {town} on a {day}."
GUEST_BOOK = "The landlady wrote into her book:"
FAMILY_BOOK = "From the family book."
