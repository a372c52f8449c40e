"""Which conversations are in a tree of replies? One for each message that nobody replied to, from the root on.

Trees come nested, each message with its `replies` (or `children`), or flat: one message a row, with its id and its
parent's (Köpf et al. 2023, OpenAssistant Conversations, has both). Those of a tree are one group, so that none of it
is on both sides of a split. The messages of flat trees are kept in memory until their file ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from helpers.corpora.kinds.layouts import SAID, SPEAKER, blank, plain
from helpers.corpora.rows import Flaw, Part, Row

REPLIES = ("replies", "children")
IDS, PARENTS = ("message_id", "id"), ("parent_id", "parent")
NESTED, FLAT = (SPEAKER, SAID, REPLIES), (SPEAKER, SAID, IDS, PARENTS)
"""What messages of a tree have, one column of each."""


def unfolded(part: Part) -> Iterator[Row]:
    """Yields the rows of a file, a tree as rows with `messages` and `group`; other rows as they are."""
    flat: dict[str, Row] = {}
    for row in part.rows():
        if not isinstance(row.value, Mapping):
            yield row
        elif root := next((value for value in (row.value, *row.value.values()) if _has(value, NESTED)), None):
            others = {} if root is row.value else {name: v for name, v in row.value.items() if v is not root}
            group = f"{part.name}:{row.number}, replies"
            yield from (Row({"group": group, **others, "messages": path}, row.number) for path in _paths(root))
        elif _has(row.value, FLAT):
            if (own := _id(row.value, IDS)) in flat or not own:
                yield row._replace(flaw=Flaw("broken tree", "the message has no id of its own"))
            else:
                flat[own] = row
        else:
            yield row
    yield from _joined(flat)


def _has(value: Any, wanted: tuple[tuple[str, ...], ...]) -> bool:
    if not isinstance(value, Mapping) or len(value) < len(wanted):
        return False
    there = {plain(str(name)) for name in value}
    return all(there.intersection(names) for names in wanted)


def _of(message: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """Returns what a message has under the first of the names, or None."""
    known = {plain(str(name)): value for name, value in message.items()}
    return next((known[name] for name in names if name in known), None)


def _id(message: Mapping[str, Any], names: tuple[str, ...]) -> str:
    value = _of(message, names)
    return "" if blank(value) else str(value)


def _without(message: Mapping[str, Any], *left_out: tuple[str, ...]) -> dict[str, Any]:
    return {name: v for name, v in message.items() if not any(plain(str(name)) in names for names in left_out)}


def _paths(root: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Yields the messages from the root of a nested tree to each that has no replies."""
    waiting: list[tuple[Any, list[dict[str, Any]]]] = [(root, [])]
    while waiting:
        message, before = waiting.pop()
        path = [*before, _without(message, REPLIES)]
        replies = _of(message, REPLIES)
        inner = [reply for reply in replies if isinstance(reply, Mapping)] if isinstance(replies, list) else []
        if not inner:
            yield path
        waiting += [(reply, path) for reply in reversed(inner)]


def _joined(flat: dict[str, Row]) -> Iterator[Row]:
    """Yields the messages from a root to each that has no replies, of rows by the ids of their messages."""
    answered = {_id(row.value, PARENTS) for row in flat.values()}
    found: set[str] = set()
    for leaf in [key for key in flat if key not in answered]:
        path, key = [leaf], _id(flat[leaf].value, PARENTS)
        while key in flat:
            path.append(key)
            key = _id(flat[key].value, PARENTS)
        found.update(path)
        messages = [_without(flat[key].value, IDS, PARENTS, ("split",)) for key in reversed(path)]
        split = {name: value for name, value in flat[leaf].value.items() if plain(str(name)) == "split"}
        yield Row({"group": f"tree {path[-1]}", "messages": messages, **split}, flat[leaf].number)
    for key, row in flat.items():
        if key not in found:
            yield row._replace(flaw=Flaw("broken tree", "the replies go round in a circle"))
