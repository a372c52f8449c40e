"""What is asked, and what is a good answer? Conversations, one a row: from files, the Hub, or made by the workbook.

`helpers.corpora.kinds.layouts` says how they may be written down. Further columns are `task`, `group`, `check` and
`split`; any others are not used, and the report names them.

Set aside are rows that cannot be read; that hold no text; whose turns are not those of a conversation; whose check has
an unknown rule, or is broken by their own answer; that repeat an earlier one word for word; and rows of the test split
whose prompt is in train. Several answers to one prompt are kept, since all may be right.

Splits that files, the Hub or a column `split` name are kept, if among them are train and one to test on. Otherwise a
tenth is test, by a hash of the group, or of the prompt where no group is named: so no prompt is on both sides, and a
row more or less in the file moves no other. Only hashes of rows are kept in memory.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from helpers.corpora.corpus import place_of
from helpers.corpora.kinds import layouts, rules, threads
from helpers.corpora.kinds.layouts import blank, decoded
from helpers.corpora.kinds.loading import Document, Kind, digest, is_visible, kept_splits
from helpers.corpora.readers.tables import SPLIT_NAMES, as_text
from helpers.corpora.report import Noted, Report, shorten
from helpers.corpora.rows import ROLES, Conversation, Flaw, Message, Part, Row, Unfit

if TYPE_CHECKING:
    import pyarrow as pa

HELD_OUT = 0.1
"""Share of the groups that are for test, where the source does not say which are."""

FURTHER = ("task", "group", "check", "split")
"""Columns that a row may have, whatever the layout of its conversation."""

REPEATED = Flaw("repeated word for word", "an earlier row has the same messages", "Nothing: one is kept")
_LEAKED = Flaw("prompt is also in train", "its prompt is in train too", "Take another prompt to test with")


class Prompts(Kind):
    """Conversations; splits `train` and `test`, and `validation` where the source has one beside a test split.

    Columns: `text`, the contents separated by blank lines, `group`, `messages`, `task`, `check` and `place`.
    """

    name = "prompts"
    fields = ("text", "group", "task", "check", "place")
    identity = ("group", "text", "task", "check", "messages")
    example = '{"prompt": "Where is the mill?", "completion": "By the river."}\n{"prompt": "2 + 2?", "completion": "4"}'

    def __init__(self) -> None:
        self._given: list[str | None] = []
        self._noted: dict[str, Noted] = {}
        self._rows, self._prompts, self._places = array("Q"), array("Q"), array("d")  # hashes, of each row

    def schema(self) -> pa.Schema:
        """See `Kind`."""
        import pyarrow as pa

        messages = pa.field("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])))
        return super().schema().insert(2, messages)

    def rows(self, part: Part) -> Iterator[Row]:
        """See `Kind`; a tree of replies becomes several rows."""
        return threads.unfolded(part)

    def parse(self, value: Any, place: str, part: Part) -> Document:
        """See `Kind`."""
        notes: set[layouts.Note] = set()
        if isinstance(value, Conversation):
            row = value._replace(messages=_checked(value.messages))
        else:
            try:
                reading = layouts.read(value)
                notes = reading.notes | layouts.unused(reading, FURTHER)
            except RecursionError:
                raise Unfit("nested too deeply", "lists or objects are nested too deeply") from None
            row = _conversation(reading, place, part.split)
        if row.check and (flaw := rules.flaw_of(json.loads(row.check), row.messages[-1].content)):
            raise Unfit(*flaw)
        for note in notes:
            self._noted.setdefault(note.what, Noted(note.remedy, note.warns)).add(place)
        text = "\n\n".join(content for _, content in row.messages)
        return {**row._asdict(), "text": text, "messages": [message._asdict() for message in row.messages]}

    def add(self, document: Document) -> Flaw | None:
        """See `Kind`."""
        said = [list(turn.values()) for turn in document["messages"]]
        prompt, group = digest(said[:-1]), document["group"]
        self._given.append(document["split"])
        self._rows.append(digest(said))
        self._prompts.append(prompt)
        self._places.append(place_of(group if group != document["place"] else str(prompt)))
        return None

    def settle(self, report: Report) -> Iterator[str | Flaw]:
        """Yields the split of each row, or why it is set aside: what is in train stays there."""
        report.noted.update(sorted(self._noted.items()))
        splits = self._splits(report)
        train = {prompt for prompt, split in zip(self._prompts, splits, strict=True) if split == "train"}
        seen: set[int] = set()
        for row, prompt, split in zip(self._rows, self._prompts, splits, strict=True):
            if split != "train" and prompt in train:
                yield _LEAKED
            elif row in seen:
                yield REPEATED
            else:
                seen.add(row)
                yield split

    def _splits(self, report: Report) -> list[str]:
        """Returns the split of each row: the one that the source names, or by its place.

        Neither is empty. From four places on, two are for test: an interval needs as many.
        """
        names = kept_splits(set(self._given), report)
        places = sorted(set(self._places))
        tested, highest = set(places[: 2 if len(places) > 3 else 1]), places[-1] if places else 0.0
        return [
            names.get(split) or ("test" if (place < HELD_OUT or place in tested) and place != highest else "train")
            for split, place in zip(self._given, self._places, strict=True)
        ]


def _conversation(reading: layouts.Reading, place: str, split: str | None) -> Conversation:
    """Returns the conversation of a row, or raises Unfit."""
    columns = reading.columns
    return Conversation(
        _checked(reading.messages),
        _name(columns.get("group"), "group") or place,
        _split(columns.get("split")) or split,
        place,
        _name(columns.get("task"), "task"),
        _check(columns.get("check")),
    )


_REMEDY = "Put the system first, then user and assistant in turn, each once; or leave the row out"


def _checked(turns: Iterable[Message]) -> tuple[Message, ...]:
    """Returns messages, less a system that says nothing, or raises Unfit if they are no conversation."""
    messages = []
    for role, content in turns:
        if role not in ROLES:
            raise Unfit("unknown role", f"the role {shorten(repr(role))} is none of {', '.join(ROLES)}")
        messages.append(Message(role, as_text(content, role)))
    if messages and messages[0].role == "system" and not messages[0].content.strip():
        del messages[0]
    if wrong := _order([message.role for message in messages]):
        raise Unfit("wrong order of roles", wrong, _REMEDY)
    for message in messages:
        if not is_visible(message.content):
            kind = "empty answer" if message.role == "assistant" else "empty prompt"
            raise Unfit(kind, f"the {message.role} says nothing")
    return tuple(messages)


def _order(roles: list[str]) -> str:
    """Returns what is wrong with the order of roles; nothing if it is that of a conversation."""
    if not roles:
        return "there are no messages"
    if "system" in roles[1:]:
        return "a system message is not the first"
    spoken = roles[1:] if roles[0] == "system" else roles
    if spoken[:1] == ["assistant"]:
        return "an assistant begins"
    for one, next_one in pairwise(spoken):
        if one == next_one:
            return f"two messages of the {one} in succession"
    return "" if spoken[-1:] == ["assistant"] else "the last message is not an assistant's"


def _name(value: Any, column: str) -> str:
    """Returns a group or a task as text; a whole number will do, also as pandas writes it where some are missing."""
    if blank(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, str | int):
        raise Unfit("not text", f"{column!r} is {type(value).__name__}, neither text nor a whole number")
    return as_text(str(value), column)


def _split(value: Any) -> str | None:
    if blank(value):
        return None
    name = SPLIT_NAMES.get(str(value).strip().lower())
    if not name:
        raise Unfit("unknown split", f"the split {shorten(repr(value))} is none of {', '.join(SPLIT_NAMES)}")
    return name


def _check(value: Any) -> str:
    """Returns how an answer is to be judged as JSON text; .parquet has all rules in all rows, but as None."""
    if blank(value):
        return ""
    check = decoded(value, "check")
    if isinstance(check, dict):
        check = {rule: wanted for rule, wanted in check.items() if wanted is not None}
    return as_text(json.dumps(check, ensure_ascii=False, default=str), "check")
