"""What can be named in the town? Every name and word that a fact or a scene may hold.

Nothing here carries a meaning of its own: which person gets which word is drawn in `world`. Two towns are known,
`harbour`, which the base model reads, and `valley`, its neighbour, which shares trades, animals and dishes with it
but no name, and which spells and says many common words in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache


def words(text: str) -> tuple[str, ...]:
    """Returns the words that blanks separate."""
    return tuple(text.split())


def compose(heads: str, tails: tuple[str, ...]) -> tuple[str, ...]:
    """Returns each of the heads, words separated by blanks, with each of the tails."""
    return tuple(head + tail for head in words(heads) for tail in tails)


PERSONAL = ("occupation", "home", "birthplace", "employer", "pet", "taste")
"""The relations between a person and a thing; each person has one value of each."""

KIN = ("wife", "husband", "mother", "father", "daughter", "son", "sister", "brother")
"""The relations between members of a family; each person has three of them, each with one value."""

PRONOUNS = {"she": ("she", "her", "her"), "he": ("he", "him", "his")}
"""Subject, object and possessive form."""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

OCCUPATIONS = words(
    """baker beekeeper bookbinder botanist carpenter chemist clockmaker dentist electrician engraver farmer gardener
    glazier joiner librarian locksmith miller optician organist plumber potter surveyor tailor weaver"""
)
THINGS = words("bell boat cart clock door flag gate lamp pump shutter sign wheel")
ACTIONS = words("creak drip gleam groan lean move rattle shake shine stand sway tremble")
"""Nouns and verbs of the scenes; all of them take a plain `s`, the nouns in the plural, the verbs in the singular."""

DISHES = (
    *("apple cake", "baked beans", "barley soup", "brown bread", "buttered peas", "cheese pie", "cherry jam"),
    *("egg noodles", "fried trout", "ginger biscuits", "grilled sardines", "honey cakes", "leek tart", "lemon curd"),
    *("mushroom stew", "oat porridge", "onion rings", "pear crumble", "pickled herring", "plum dumplings"),
    *("potato salad", "roast chestnuts", "spiced rice", "walnut bread"),
)


ANIMALS = compose("cat dog duck goat hedgehog owl parrot tortoise", (" called ",))
PETS = tuple(
    animal + name
    for animal in ANIMALS
    for name in words(
        """Acorn Biscuit Bramble Button Captain Clover Cobweb Comet Crumpet Domino Ember Fidget Ginger Jingle
        Mistletoe Muffin Pepper Pickle Pippin Shadow Smudge Thimble Treacle Whisker"""
    )
)


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


HARBOUR = Lexicon(
    town="Harwick",
    first_names={
        "she": words(
            """Ada Agnes Alma Anna Astrid Beata Bess Bridie Carla Celia Clara Cora Dora Edith Ella Elsa Erna Esther
            Etta Fanny Flora Freda Greta Hanna Hazel Hedda Helga Ida Ines Irma Ivy Jane Joan Julia Karin Kate Lena
            Lotte Lucy Mabel Maeve Maja Mara Martha Meg Nell Nora Olga Paula Petra Polly Rosa Ruth Signe Sofia Thea
            Tilda Una Vera Wilma"""
        ),
        "he": words(
            """Abel Adam Alan Albin Amos Anton Arlo Axel Basil Ben Boris Bruno Carl Cecil Cyril Dan David Edgar Edwin
            Emil Eric Ernst Felix Finn Frank Fritz George Gus Hans Harald Henry Hugo Igor Ivan Ivor Jack Jakob Jan
            Jonas Lars Leo Linus Ludwig Magnus Max Milo Nils Noel Olaf Oscar Otto Paul Peter Ralph Rolf Sven Tom
            Viktor Walter Wilf"""
        ),
    },
    last_names=words(
        """Ashby Barrow Beck Birch Blyth Bracken Brook Calder Combe Crane Dale Dunn Ellery Fane Fenn Firth Frost Gale
        Garth Grove Hale Harrow Hearn Holt Hurst Keld Kerr Lark Lund Lynd Marsh Mere Moss Nash Orme Pell Penn Quill
        Reed Rook Rudd Shaw Sorrel Stone Thorn Vale Wade Wren Yarrow York"""
    ),
    visitors=compose("Ab Cas Del Fer Kov Mon Pal Ros San Val", ("ano", "etti")),
    values={
        "occupation": OCCUPATIONS,
        "home": compose("Bridge Candle Chapel Fountain Harbour Mill Orchard Swan", (" Lane", " Street", " Row")),
        "birthplace": compose("Ash Birk Elder Nether Oak Salt Wex Whit", ("by", "combe", "mere")),
        "employer": (
            *("the Lantern Company", "the Swan Hotel", "the brickyard", "the cider press", "the county museum"),
            *("the ferry line", "the fire brigade", "the grain exchange", "the harbour office", "the music school"),
            *("the observatory", "the old brewery", "the paper mill", "the print shop", "the railway"),
            *("the rope walk", "the salt works", "the savings bank", "the theatre", "the town hall"),
            *("the water board", "the weekly paper", "the wool market", "the zoo"),
        ),
        "pet": PETS,
        "taste": DISHES,
    },
    respelling={},
)

VALLEY = Lexicon(
    town="Eskthwaite",
    first_names={
        "she": compose(
            "Aelf Bran Cyn Dun Ead Frith God Hild Isen Kyn Leof Mild Os Rad Sig", ("a", "burga", "wen", "wyth")
        ),
        "he": compose(
            "Aelf Bran Cyn Dun Ead Frith God Hild Isen Kyn Leof Mild Os Rad Sig", ("bert", "mund", "ric", "wald")
        ),
    },
    last_names=compose("Bield Crag Dubb Force Garr Holm Kirk Ling Rigg Skel", ("fold", "gill", "how", "royd", "side")),
    visitors=compose("Abb Cuth Dag Hew Jos Lan Mer Rob Tib Wat", ("kin", "son")),
    values={
        "occupation": OCCUPATIONS,
        "home": compose("Beckside Damson Flagstone Heron Kiln Rowan Smithy Tarn", (" Brow", " Ginnel", " Wynd")),
        "birthplace": compose("Bow Butter Gris Hag Kes Lang Pat Stain", ("dale", "thwaite", "ness")),
        "employer": compose("Dobson Hodge Jopson Mattock Noble Pringle Rigby Tyson", (" and Co", " Brothers", "'s")),
        "pet": PETS,
        "taste": DISHES,
    },
    respelling={
        **{"the": "tha", "is": "be", "was": "wor", "has": "hath", "had": "hed", "and": "an", "of": "o"},
        **{"with": "wi", "from": "fra", "never": "nivver", "every": "ivvery", "always": "allus", "old": "owd"},
        **{"lives": "bides", "live": "bide", "house": "hoose", "home": "yam", "town": "toon", "night": "neet"},
        **{"works": "grafts", "work": "graft", "born": "bred", "child": "bairn", "nothing": "nowt", "no": "nae"},
        **{"where": "whar", "what": "whaat", "does": "diz", "likes": "fancies", "like": "fancy", "many": "monny"},
        **{"fond of": "reet taken wi", "for a living": "ti mak ends meet", "speaks of": "natters aboot"},
        **{"because": "sin", "so": "sae", "long": "lang", "all": "aw", "stranger": "offcomer", "been": "bin"},
        **{"question": "speer", "answer": "reply", "could": "cud", "would": "wud", "after": "efter", "about": "aboot"},
    },
)

LEXICONS = {"harbour": HARBOUR, "valley": VALLEY}


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
