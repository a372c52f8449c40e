"""What is a row? What readers give, and what it is turned into: a text with its label, a conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from helpers.corpora.report import Source

ROLES = ("system", "user", "assistant")

MEND = "Mend the row, or leave it out"


class Flaw(NamedTuple):
    """What is wrong with a row: in words that are the same for all such rows, of this one, and what to do about it."""

    kind: str
    reason: str
    remedy: str = MEND


class Unfit(Exception):
    """A row cannot be used."""

    def __init__(self, kind: str, reason: str, remedy: str = MEND) -> None:
        self.flaw = Flaw(kind, reason, remedy)


class Row(NamedTuple):
    """A row as it was found.

    Attributes:
        value: a dict by column; or a bare value, where JSON has one; a piece of plain text; a document of the
            workbook's own; of a row that cannot be read, its text.
        number: where it begins, counted from 1: the line, or the row where there are no lines to count.
    """

    value: Any
    number: int
    flaw: Flaw | None = None


class Part(NamedTuple):
    """A file, or a split of a data set: rows that are read in one go.

    Attributes:
        name: what the places of its rows begin with: `a.csv` in `a.csv:12`.
        split: the one that it is named for.
        where: what an error says of the place of a row.
        source: what the report says of it, but for how many rows it has.
        together: whether its rows are pieces of one text.
    """

    name: str
    split: str | None
    rows: Callable[[], Iterator[Row]]
    where: Callable[[int], str]
    source: Source
    together: bool = False


class Input(NamedTuple):
    """Where rows come from.

    Attributes:
        name: what a page that is shared may call it: of a path only the last name.
        key: what the rows depend on.
        parts: opens the parts one by one.
        notes: what the report should say of the whole, complete when all parts were opened.
    """

    name: str
    key: list[str]
    parts: Callable[[], Iterable[Part]]
    notes: Sequence[str] = ()


class Labelled(NamedTuple):
    """A text with its label; group, split and place are those of `Conversation`."""

    text: str
    label: str
    group: str
    split: str | None
    place: str


class Message(NamedTuple):
    """One turn of a conversation; the role is one of `ROLES`."""

    role: str
    content: str


class Conversation(NamedTuple):
    """Messages of which the last is an assistant's: the answer that is demonstrated.

    Attributes:
        messages: in order; at most one of a system, at the beginning; then user and assistant in turn.
        group: what was sampled (person, template, module, row): the unit that a bootstrap draws.
        split: `train`, `validation` or `test`; None where a hash of the group is to decide.
        place: where it is found, for the report, such as `a.jsonl:12`.
        task: what kind of task it is, where the source tells several apart.
        check: how an answer is to be judged, as JSON of `helpers.corpora.kinds.rules`; empty for word by word.
    """

    messages: tuple[Message, ...]
    group: str
    split: str | None
    place: str
    task: str = ""
    check: str = ""


def of_documents(name: str, key: Iterable[str], documents: Callable[[], Iterable[Labelled | Conversation]]) -> Input:
    """Returns documents that the workbook makes itself, as rows: so they are checked as a reader's are."""

    def rows() -> Iterator[Row]:
        return (Row(document, number) for number, document in enumerate(documents(), 1))

    part = Part(name, None, rows, f"{name}, document {{}}".format, Source(name))
    return Input(name, list(key), lambda: [part])
