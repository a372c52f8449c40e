"""A world that we know: a simulated town, its chronicle, and how likely each of its texts is.

`lexicon` and `phrases` are its words, `world` its people, `contract` what later chapters need planted, `grammar` the
ways to write and what they cost, `chronicle` the corpus, `clozes` what to ask a model of it.

    world = town.make_world(people=240, seed=0)
    chronicle = town.write_chronicle(world, bytes_wanted=2_000_000, seed=0)

Left out on purpose: time (nothing that is true changes), inference (no fact has to be concluded from others), and
any likeness of real people or places.
"""

from helpers.corpora.town.chronicle import write_chronicle
from helpers.corpora.town.clozes import fact_clozes, minimal_pairs, visitor_clozes
from helpers.corpora.town.contract import LADDER, make_contract
from helpers.corpora.town.grammar import Grammar
from helpers.corpora.town.lexicon import PERSONAL
from helpers.corpora.town.world import World, make_world

__all__ = ["LADDER", "PERSONAL", "Grammar", "World", "fact_clozes", "make_contract", "make_world"]
__all__ += ["minimal_pairs", "visitor_clozes", "write_chronicle"]
