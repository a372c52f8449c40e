"""What can be named in the town? Every name and word that a fact or a scene may hold; the lists are in `lexicon.toml`.

Nothing here carries a meaning of its own: which person gets which word is drawn in `world`. Two towns are known,
`harbour`, which the base model reads, and `valley`, its neighbour, which shares trades, animals and dishes with it
but no name, and which spells and says many common words in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from helpers.imports import data_of

PERSONAL = ("occupation", "home", "birthplace", "employer", "pet", "taste")
"""The relations between a person and a thing; each person has one value of each."""

KIN = ("wife", "husband", "mother", "father", "daughter", "son", "sister", "brother")
"""The relations between members of a family; each person has three of them, each with one value."""

PRONOUNS = {"she": ("she", "her", "her"), "he": ("he", "him", "his")}
"""Subject, object and possessive form."""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Lexicon:
    """The names of one town, and its way of spelling.

    Attributes:
        visitors: last names of strangers, which nobody in the town has.
        respelling: common words and phrases that the town says otherwise, with what it says for them.
    """

    town: str
    first_names: Mapping[str, tuple[str, ...]]
    last_names: tuple[str, ...]
    visitors: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]
    respelling: Mapping[str, str]


def _names(entry: str | Sequence[str] | Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the words of a text, the names of a list, or each of `heads` with each of `tails`, `between` the two."""
    if isinstance(entry, Mapping):
        between = entry.get("between", "")
        return tuple(head + between + tail for head in _names(entry["heads"]) for tail in _names(entry["tails"]))
    return tuple(entry.split() if isinstance(entry, str) else entry)


def _lexicon(town: Mapping[str, Any]) -> Lexicon:
    return Lexicon(
        town["town"],
        {pronoun: _names(names) for pronoun, names in town["first_names"].items()},
        _names(town["last_names"]),
        _names(town["visitors"]),
        {relation: _names((_DATA["values"] | town["values"])[relation]) for relation in PERSONAL},
        town["respelling"],
    )


_DATA = data_of(__name__)
LEXICONS = {dialect: _lexicon(_DATA[dialect]) for dialect in ("harbour", "valley")}
OCCUPATIONS = _names(_DATA["values"]["occupation"])
THINGS, ACTIONS = _names(_DATA["things"]), _names(_DATA["actions"])
"""Nouns and verbs of the scenes; all of them take a plain `s`, the nouns in the plural, the verbs in the singular."""


@cache
def spelled(template: str, dialect: str) -> str:
    """Returns the template in the dialect's spelling; its slots are left as they are."""
    respelling = LEXICONS[dialect].respelling
    if not respelling:
        return template
    longest_first = sorted(respelling, key=len, reverse=True)
    words = re.compile(r"\{\w+\}|\b(" + "|".join(longest_first) + r")\b", re.IGNORECASE)

    def say(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        said = respelling[match[1].lower()]
        return capitalised(said) if match[1][0].isupper() else said

    return words.sub(say, template)


def capitalised(text: str) -> str:
    """Returns the text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def with_article(noun: str) -> str:
    """Returns the noun after `a` or `an`; no noun of the lexicon sounds otherwise than it is spelled."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun
