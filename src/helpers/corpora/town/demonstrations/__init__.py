"""How is an assistant shown what to do? Demonstrations of several tasks, made from the town, whose answers are checked.

| task | what is asked | kept for the test |
|---|---|---|
| `questions` | a fact of the town, from memory | people never asked about; wordings |
| `reading` | a fact about a stranger, from the prompt | strangers; wordings |
| `translation` | a sentence into or from Eskan | combinations of noun and verb; wordings |
| `glossary` | the same, with a word that only the prompt gives | words; wordings |
| `writing` | a notice that holds what is asked for | strangers; wordings |
| `expressions` | a line of Python | numbers; wordings |
| `support` | who helps a customer, by the rules of a shop | rules; wordings |
| `instructions` | a question, under instructions of the system or the user | wordings, pairs, contradictions |
| `echo` | words, to be repeated: practice in copying | which words together |

Wordings that are kept for the test are made of words that training has. `data/custom` holds what is made from the town
of the published run; `write` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from helpers import files
from helpers.corpora.rows import Conversation
from helpers.corpora.town.contract import make_contract
from helpers.corpora.town.demonstrations import (
    echo,
    expressions,
    instructions,
    questions,
    support,
    translation,
    writing,
)
from helpers.corpora.town.demonstrations.draft import TEST, TRAIN, Draft, Writer
from helpers.corpora.town.grammar import Grammar, Sampler
from helpers.corpora.town.world import make_world

ALL = 10**6  # more than there are of any task
COUNTS: dict[str, tuple[Writer, int, int]] = {
    "questions": (questions.from_memory, ALL, ALL),
    "reading": (questions.about_strangers, 250, 50),
    "translation": (translation.sentences, 1100, 80),
    "glossary": (translation.with_glossary, 160, 50),
    "writing": (writing.pieces, 350, 50),
    "expressions": (expressions.lines, 350, 80),
    "support": (support.cases, 200, 60),
    "instructions": (instructions.obeyed, 400, 160),
    "echo": (echo.lists, 1100, 30),
}
"""What is drawn of each task: by whom, for train, for test."""


def conversations(people: int, seed: int) -> Iterator[Conversation]:
    """Yields all demonstrations about a town, those of training first; with the seed of the town and of what is drawn.

    Raises:
        WorkbookError: there is no town of that size.
    """
    world = make_world(people, seed)
    grammar = Grammar(world, contract=make_contract(world))
    begun: set[tuple[str, str]] = set()
    for split in (TRAIN, TEST):
        number = 0
        for task, (writer, *counts) in COUNTS.items():
            drafts = _new(writer(grammar, Sampler(f"{task} {split} {seed}"), split), begun)
            for draft in islice(drafts, counts[split == TEST]):
                number += 1
                yield draft.conversation(split, f"{split}:{number}")


def write(folder: Path, people: int, seed: int) -> dict[Path, int]:
    """Writes the demonstrations as `train.jsonl` and `test.jsonl`, and returns how many rows each of them has.

    Raises:
        WorkbookError: there is no town of that size.
    """
    drawn, counts = list(conversations(people, seed)), {}
    for split in (TRAIN, TEST):
        rows = [json.dumps(_row(c), ensure_ascii=False, separators=(",", ":")) for c in drawn if c.split == split]
        files.write_text(path := folder / f"{split}.jsonl", "".join(f"{row}\n" for row in rows))
        counts[path] = len(rows)
    return counts


def _row(conversation: Conversation) -> dict[str, Any]:
    """Returns a conversation as a row; all rows have the same columns of the same types, as other libraries want it.

    Where nothing is said, a column holds an empty text. Only a test needs a group and a check.
    """
    tested = conversation.split == TEST
    return {
        "task": conversation.task,
        "messages": [message._asdict() for message in conversation.messages],
        "group": conversation.group if tested else "",
        "check": conversation.check if tested else "",
    }


def _new(drafts: Iterable[Draft], begun: set[tuple[str, str]]) -> Iterator[Draft]:
    """Yields the drafts that begin as none before, and adds how they begin."""
    for draft in drafts:
        beginning = (draft.system, draft.turns[0][0])
        if beginning not in begun:
            begun.add(beginning)
            yield draft
