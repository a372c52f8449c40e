"""A world that we know: a simulated town, its chronicle, and how likely each of its texts is.

`lexicon` and `phrases` are its words, `world` its people, `contract` what later chapters need planted, `grammar` the
ways to write (with `choices`, which knows what they cost), `chronicle` the corpus, `probes` what to ask a model of it.

    world = town.make_world(people=240, seed=0)
    chronicle = town.write_chronicle(world, bytes_wanted=2_000_000, seed=0)

Left out on purpose: time (nothing that is true changes), inference (no fact has to be concluded from others), and
any likeness of real people or places.
"""

from helpers.corpora.town.chronicle import PLANTED, Chronicle, Document, write_chronicle
from helpers.corpora.town.contract import (
    CANARY_SPACE,
    DOSES,
    HELD_OUT_COMBINATIONS,
    LADDER,
    Canary,
    Contract,
    make_contract,
)
from helpers.corpora.town.grammar import KINDS, Grammar, derivations
from helpers.corpora.town.lexicon import PERSONAL
from helpers.corpora.town.probes import MinimalPair, Probe, minimal_pairs, probes, visitor_probes
from helpers.corpora.town.world import Fact, Person, World, make_world

__all__ = [
    "CANARY_SPACE",
    "DOSES",
    "HELD_OUT_COMBINATIONS",
    "KINDS",
    "LADDER",
    "PERSONAL",
    "PLANTED",
    "Canary",
    "Chronicle",
    "Contract",
    "Document",
    "Fact",
    "Grammar",
    "MinimalPair",
    "Person",
    "Probe",
    "World",
    "derivations",
    "make_contract",
    "make_world",
    "minimal_pairs",
    "probes",
    "visitor_probes",
    "write_chronicle",
]
