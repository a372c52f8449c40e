"""How do they speak beyond the hill? A small language made up for the workbook, beside English.

*Eskan* has its own words, its own order of them, and endings: the verb comes before its subject; an adjective follows
its noun; where something is comes last, the preposition behind it. In the plural, noun and adjective end in `-in`
and the verb in `-un` (in the singular `-e`). There is no article, and there are no capital letters.

    At night the old lamps gleam near the gate.
    ran valun crein midin pum su.
    at.night gleam-PL lamp-PL old-PL gate near
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from helpers.corpora.town.grammar import noun, verb
from helpers.corpora.town.lexicon import capitalised
from helpers.imports import data_of

NAME = "Eskan"

NOUNS, VERBS, ADJECTIVES, TIMES, PREPOSITIONS = data_of(__name__).values()
"""By the English word; of nouns and verbs the stems, all of them among the things and actions of the town's scenes."""

PLURAL, VERB_SINGULAR, VERB_PLURAL = "in", "e", "un"


class Thing(NamedTuple):
    """A noun phrase: noun, in the singular, and adjective in English; without an adjective, that is empty."""

    noun: str
    plural: bool
    adjective: str = ""


class Scene(NamedTuple):
    """What is said, in no language; `time` and `near` (the place) are keys of `TIMES` and `PREPOSITIONS`, or empty."""

    subject: Thing
    action: str
    time: str = ""
    near: str = ""
    place: Thing | None = None


def in_english(scene: Scene) -> str:
    """Says a scene in English."""
    said = [scene.time, _english(scene.subject), verb(scene.action, scene.subject.plural)]
    if scene.place:
        said += [scene.near, _english(scene.place)]
    return capitalised(" ".join(filter(None, said))) + "."


def in_eskan(scene: Scene, nouns: Mapping[str, str] = NOUNS) -> str:
    """Says a scene in Eskan, with the Eskan stem of each English noun."""
    ending = VERB_PLURAL if scene.subject.plural else VERB_SINGULAR
    said = [TIMES.get(scene.time, ""), VERBS[scene.action] + ending, _eskan(scene.subject, nouns)]
    if scene.place:
        said += [_eskan(scene.place, nouns), PREPOSITIONS[scene.near]]
    return " ".join(filter(None, said)) + "."


def _english(thing: Thing) -> str:
    return " ".join(filter(None, ["the", thing.adjective, noun(thing.noun, thing.plural)]))


def _eskan(thing: Thing, nouns: Mapping[str, str]) -> str:
    ending = PLURAL if thing.plural else ""
    return " ".join(stem + ending for stem in (nouns[thing.noun], ADJECTIVES.get(thing.adjective, "")) if stem)
