"""Questions about the town, under an instruction: in which language, how long, in which tone, in which role to answer.

| kind | where the instruction is | in train | in test |
|---|---|---|---|
| one | system | each of the four | the same (`seen`), and in other words (`unseen wording`) |
| a pair | system | `TAUGHT_PAIRS` | `HELD_OUT_PAIRS` |
| contradicted | system, which is obeyed, not the user who says otherwise | the language alone | each of the four |
| the user's own | after the question; there is no system message | each of the four | never |
| none | the user, nothing that changes the answer | a plain question | never |

People and wordings of the questions are those of the training in both splits: what is tested is whether the instruction
is obeyed, not whether the fact is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from helpers.corpora.town.demonstrations.draft import TEST, TRAIN, WORDINGS, Draft
from helpers.corpora.town.demonstrations.questions import answer, wordings
from helpers.corpora.town.grammar import Grammar, Sampler, Voice, voice
from helpers.corpora.town.lexicon import OCCUPATIONS, PERSONAL, capitalised
from helpers.corpora.town.world import Fact

LANGUAGE, LENGTH, TONE, ROLE = "language", "length", "tone", "role"
CONTRADICTIONS = WORDINGS["instructions"]["contradictions"]
ALONE: Sequence[Sequence[str]] = ((LANGUAGE,), (LENGTH,), (TONE,), (ROLE,))
TAUGHT_PAIRS: Sequence[Sequence[str]] = ((LANGUAGE, ROLE), (LENGTH, TONE))
HELD_OUT_PAIRS: Sequence[Sequence[str]] = ((LANGUAGE, TONE), (LENGTH, ROLE), (TONE, ROLE))
POLITE, SAYS = "With pleasure.", "So says the {role}."
"""How a polite answer begins, and how one in a role ends."""

ESKAN = dict(zip(PERSONAL, ("arge", "bece", "crade", "vare", "rete", "noone"), strict=True))
"""The verbs with which Eskan says facts: verb, person, value."""


def obeyed(grammar: Grammar, sampler: Sampler, split: str) -> Iterator[Draft]:
    """Yields questions about people whom training asks about, under up to two instructions."""
    while True:
        if split == TEST:
            kind = sampler.choose(("seen", "unseen wording", "unseen pair", "contradicted"))
            asked = sampler.choose(HELD_OUT_PAIRS if kind == "unseen pair" else ALONE)
        else:
            kind = sampler.choose(("system", "system", "pair", "user", "none", "contradicted"))
            pair, one = sampler.choose(TAUGHT_PAIRS), sampler.choose(ALONE)
            asked = {"pair": pair, "none": (), "contradicted": (LANGUAGE,)}.get(kind, one)
        yield _draft(grammar, sampler, split, kind, asked)


def _draft(grammar: Grammar, sampler: Sampler, split: str, kind: str, asked: Sequence[str]) -> Draft:
    name = sampler.choose(grammar.asked)
    relation = sampler.choose(grammar.personal[name])
    speak = voice(name, grammar.people[name].pronoun)
    fact = Fact(name, relation, grammar.people[name].facts[relation])
    role = sampler.choose(OCCUPATIONS)
    ways = WORDINGS["instructions"][TEST if kind == "unseen wording" else TRAIN]
    said = " ".join(sampler.choose(ways[each]) for each in asked).format(role=role)
    question = grammar.say(sampler.choose(wordings(relation, TRAIN)), speak)
    system, prompt = ("", f"{question} {said}") if kind == "user" else (said, question)
    if kind == "none":  # the very words that the system overrules elsewhere
        prompt = f"{question} {CONTRADICTIONS[LANGUAGE]}"
    if kind == "contradicted":
        prompt = f"{question} {CONTRADICTIONS[asked[0]].format(role=role)}"
    text, check = _answer(grammar, speak, fact, asked, role)
    task = f"instructions, {kind}" if split == TEST else "instructions"
    return Draft(task, [(prompt, text)], f"{' and '.join(asked)}: {said}", check, system)


def _answer(grammar: Grammar, speak: Voice, fact: Fact, asked: Sequence[str], role: str) -> tuple[str, dict[str, Any]]:
    """Returns an answer that obeys all that is asked, and the rules that such an answer keeps."""
    check: dict[str, Any] = {}
    text = answer(grammar, speak, fact)
    if LENGTH in asked:
        text = capitalised(fact.value) + "."
        check |= {"lacks": [fact.person.split()[0]], "most_words": 8}
    if LANGUAGE in asked:
        text = f"{ESKAN[fact.relation]} {fact.person} {fact.value}."
        check["contains"] = [ESKAN[fact.relation] + " "]
    if TONE in asked:
        text = f"{POLITE} {text}"
        check["begins"] = POLITE
    if ROLE in asked:
        text = f"{text} {SAYS.format(role=role)}"
        check["ends"] = SAYS.format(role=role)
    return text, check
