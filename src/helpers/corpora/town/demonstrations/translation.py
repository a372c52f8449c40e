"""Translation from and into Eskan; and with a glossary, whose word nobody can know.

Which noun and verb never meet in training is what the base-run contract keeps apart: they meet in the test alone. A
glossary's noun has a stem made up for that one sentence, so that only the prompt can tell it.
"""

from __future__ import annotations

from collections.abc import Iterator

from helpers.corpora.town.contract import HELD_OUT_COMBINATIONS
from helpers.corpora.town.demonstrations import eskan
from helpers.corpora.town.demonstrations.draft import TEST, TRAIN, Draft, worded
from helpers.corpora.town.demonstrations.eskan import NOUNS, Scene, Thing, in_english, in_eskan
from helpers.corpora.town.grammar import Grammar, Sampler

GLOSSARY = ("basket", "bucket", "candle", "fence", "hammer", "ladder", "pillow", "ribbon", "saddle", "tower")
GLOSSARY_HELD_OUT = ("bottle", "carpet", "kettle", "needle")
"""Nouns without a word in Eskan: in train and in test."""

ONSETS = ("b", "d", "f", "g", "k", "m", "n", "p", "r", "s", "t", "v", "z")
ENDS = ("alk", "amp", "eld", "erk", "ilt", "imp", "olf", "ond", "ulm", "urt")

WITH_PLACE = {TRAIN: 0.4, TEST: 0.2}
"""Share of the sentences that say where something is: the hardest part, so training has more of it."""


def sentences(grammar: Grammar, sampler: Sampler, split: str) -> Iterator[Draft]:
    """Yields sentences to be translated, half of them into Eskan and half from it."""
    while True:
        scene = _scene(sampler, tuple(NOUNS), split)
        turn = _turn(sampler, split, scene, in_eskan(scene))
        yield Draft("translation", [turn], f"{scene.subject.noun} {scene.action}")


def with_glossary(grammar: Grammar, sampler: Sampler, split: str) -> Iterator[Draft]:
    """Yields sentences whose subject the prompt gives a word for: for training two in a row, else one."""
    unknown = GLOSSARY_HELD_OUT if split == TEST else GLOSSARY
    while True:
        noun, stem = sampler.choose(unknown), sampler.choose(ONSETS) + sampler.choose(ENDS)
        scenes = [_scene(sampler, (noun,), split) for _ in range(1 if split == TEST else 2)]
        turns = [_turn(sampler, split, scene, in_eskan(scene, NOUNS | {noun: stem})) for scene in scenes]
        turns[0] = (f"{noun} is {stem} in {eskan.NAME}. {turns[0][0]}", turns[0][1])
        yield Draft("glossary", turns, f"{noun} {stem}")


def _scene(sampler: Sampler, nouns: tuple[str, ...], split: str) -> Scene:
    """Draws a scene; of nouns and verbs that the town knows, only such as may meet in the split.

    What a subject is near meets the verb too, and never one that is held out.
    """
    while True:
        subject = Thing(sampler.choose(nouns), sampler.chance(0.5), sampler.choose((*eskan.ADJECTIVES, "", "")))
        action = sampler.choose(tuple(eskan.VERBS))
        held_out = (subject.noun, action) in HELD_OUT_COMBINATIONS
        if held_out == (split == TEST) or subject.noun not in NOUNS:
            break
    place = None
    if sampler.chance(WITH_PLACE[split]):
        others = [noun for noun in NOUNS if noun != subject.noun and (noun, action) not in HELD_OUT_COMBINATIONS]
        place = Thing(sampler.choose(others), sampler.chance(0.5))
    time, near = sampler.choose((*eskan.TIMES, "", "")), sampler.choose(tuple(eskan.PREPOSITIONS)) if place else ""
    return Scene(subject, action, time, near, place)


def _turn(sampler: Sampler, split: str, scene: Scene, said: str) -> tuple[str, str]:
    """Draws the direction and the wording."""
    into = sampler.chance(0.5)
    given, wanted = (in_english(scene), said) if into else (said, in_english(scene))
    return worded(sampler, "translation", split, language=eskan.NAME if into else "English", text=given), wanted
