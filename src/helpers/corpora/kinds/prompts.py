"""What is asked, and what is a good answer? Conversations, one a row: from files, the Hub, or made by the workbook.

| columns of a row | conversation |
|---|---|
| `messages` | a list of objects with `role` (system, user, assistant) and `content`, or the same as JSON text |
| `prompt` and `completion`, or `prompt` and `response` | a question and its answer; each may be a list of messages |
| `instruction` and `output`, perhaps `input` | a question, which the input follows after a blank line, and its answer |

Optional columns are `system` (goes before a prompt or an instruction), `task`, `group`, `check` and `split`. The format
of each row is told by its columns; a file whose first rows have none of these formats is an error.

A faulty row stops nothing and does not vanish: it is set aside, counted in the report with its reason, and written to
`SET_ASIDE` in the corpus' folder. Set aside are rows that cannot be read; that hold no text; whose turns are not those
of a conversation; that stand there word for word before; and rows of the test split whose prompt is in train. Several
answers to one prompt are kept, since all may be right; `helpers.corpora.kinds.checkup` counts them.

Splits that files, the Hub or a column `split` name are kept, if among them are train and one to test on; a validation
split alone is the test split. Otherwise a tenth is test, by a hash of the group, or of the prompt where no group is
named: so no prompt stands on both sides, and a row more or less in the file moves no other.

Rows are read as a stream, and only hashes of them are kept in memory. Hashes have 64 bits: among a million rows, two
are taken for one with a probability of one in 10⁷.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from helpers.corpora.corpus import Corpus, cached_with_files, place_of
from helpers.corpora.readers import folders, hub
from helpers.corpora.readers.tables import TABLES, Fault, Flaw, ending, flaw_of, plain, read_records
from helpers.corpora.report import Report, Source, shorten
from helpers.corpora.rows import ROLES, Conversation, Message
from helpers.files import WorkbookError, at
from helpers.imports import code_version

if TYPE_CHECKING:
    import pyarrow as pa

HELD_OUT = 0.1
"""Share of the groups that are for test, where the source does not say which are."""

SET_ASIDE = "set-aside.jsonl"
"""The file of the rows that were set aside: in each line an object with place, kind, reason, remedy, and the row."""

REPEATED = "repeated word for word"
"""The kind of rows set aside of which nothing is lost."""

FIRST = 20
"""Rows among which one must have a known format."""

FORMATS = (("messages",), ("prompt", "completion"), ("prompt", "response"), ("instruction", "output"))
"""The columns of each format."""

EXAMPLE = '{"prompt": "Where is the mill?", "completion": "By the river."}\n{"prompt": "2 + 2?", "completion": "4"}'

ACCEPTED = (
    f"Accepted are {', '.join(' + '.join(columns) for columns in FORMATS)}; two lines of a .jsonl file, for example"
)

MEND = "Mend the row, or leave it out"


class Own(NamedTuple):
    """A source of the workbook's own.

    Attributes:
        module: has the function that yields them.
        function: its name.
        grows: whether it takes `people` and `seed`.
    """

    module: str
    function: str = "conversations"
    grows: bool = False


OWN = {
    "town": Own("helpers.corpora.town.demonstrations", grows=True),
    "pydocs-functions": Own("helpers.corpora.pydocs.functions", "read_functions"),
}
"""The workbook's own conversations, by name."""


def load(source: str, limit: int | None = None, people: int | None = None, seed: int = 0) -> Corpus:
    """Loads conversations.

    Args:
        source: a name of `OWN`, the path to a file or a folder, or an address of the Hub (see `readers.hub`).
        limit: how many rows to take at most of each split of the Hub; None for all.
        people: inhabitants of the town.
        seed: of the town.

    Returns:
        The corpus; splits `train` and `test`, and `validation` where the source has one beside a test split. Columns:
        `text`, the contents separated by blank lines, `group`, `messages`, `task`, `check` and `place`.

    Raises:
        WorkbookError: a file cannot be read as a whole, has none of the formats, or no row is left.
    """
    key, read = _open(source, limit, people, seed)

    def make(report: Report, folder: Path) -> Iterator[dict[str, Any]]:
        spool = folder / "rows.jsonl"
        with (folder / SET_ASIDE).open("wb") as stream, spool.open("w+", encoding="utf-8") as rows:
            aside, index = _Aside(stream, report), _Index()
            for conversation, raw in read(report, aside):
                index.add(conversation)
                rows.write(json.dumps([conversation, raw], default=str) + "\n")
            rows.seek(0)
            yield from _divided(rows, index, aside)
        spool.unlink()
        if not report.removed:
            (folder / SET_ASIDE).unlink()

    corpus = cached_with_files(source, [*key, code_version(__name__)], _schema(), make, "prompts")
    if (corpus.folder / SET_ASIDE).exists():
        corpus.report.problems.append(f"the rows that were removed are in {corpus.folder / SET_ASIDE}, with remedies")
    return corpus


def _schema() -> pa.Schema:
    import pyarrow as pa

    turn = pa.struct([("role", pa.string()), ("content", pa.string())])
    columns = [("messages", pa.list_(turn)), *((name, pa.string()) for name in ("task", "check", "place"))]
    return pa.schema([*folders.schema(), *columns])


def _columns(conversation: Conversation) -> dict[str, Any]:
    return {
        "text": "\n\n".join(content for _, content in conversation.messages),
        "group": conversation.group,
        "messages": [{"role": role, "content": content} for role, content in conversation.messages],
        "task": conversation.task,
        "check": conversation.check,
        "place": conversation.place,
    }


Raw = Any
"""A row as the source has it, for `SET_ASIDE`."""

Rows = Iterator[tuple[Conversation, Raw]]


@dataclass
class _Aside:
    """Where rows are set aside."""

    stream: IO[bytes]
    report: Report

    def put(self, place: str, flaw: Flaw, raw: Raw) -> None:
        """Writes a row down, and counts it."""
        row = {"place": place, **flaw._asdict(), "row": raw}
        line = json.dumps(row, ensure_ascii=False, default=str) + "\n"
        self.stream.write(line.encode("utf-8", "backslashreplace"))  # half a surrogate pair becomes its escape in JSON
        shown = shorten(flaw.reason).encode("utf-8", "backslashreplace").decode()
        self.report.remove(flaw.kind, json.dumps(raw, default=str), f"{place}: {shown}")


class _Unfit(Exception):
    """A row is no conversation."""

    def __init__(self, kind: str, reason: str, remedy: str = MEND) -> None:
        self.flaw = Flaw(kind, reason, remedy)


def _open(
    source: str, limit: int | None, people: int | None, seed: int
) -> tuple[list[str], Callable[[Report, _Aside], Rows]]:
    """Returns what the rows of a source depend on, and what reads them and enters their sources into the report."""
    if source in OWN:
        if OWN[source].grows and people is None:
            raise WorkbookError(f"{source}: say how large it is. Give people=, as a profile has it.")
        given = {"people": people, "seed": seed} if OWN[source].grows else {}
        return _own_key(source, given), partial(_read_own, source, given)
    if source.startswith("hub:"):
        address = source.removeprefix("hub:")
        name, config, split, column = hub.parse(address, "")
        if column:
            raise at(source, f"conversations are not in one column {column!r}", "Write hub:owner/name[:config][:split]")
        key = [str(limit), *hub.local_stamps(name)]
        return key, partial(_read_hub, address, (name, config, split), limit)
    top = Path(source).expanduser()
    if not top.exists():
        known = ", ".join(OWN)
        raise at(source, "there are no such conversations", f"Known are {known}, hub:owner/name, and paths")
    paths = _find(top)
    return folders.stamps(paths), partial(_read_files, top, paths)


def _own_key(source: str, given: dict[str, Any]) -> list[str]:
    from helpers.corpora.pydocs.corpus import key_of

    depends_on = key_of(()) if source.startswith("pydocs") else []
    return [json.dumps(given), code_version(OWN[source].module), *depends_on]


def _find(top: Path) -> list[Path]:
    """Lists the files to be read; a README.md beside them is none.

    Raises:
        WorkbookError: there is none, or one is no table.
    """
    paths = [path for path in folders.find(top) if path == top or path.name != "README.md"]
    if not paths:
        raise at(top, "the folder holds only a README.md", f"Put files there that end in {', '.join(TABLES)}")
    for path in paths:
        if ending(path) not in TABLES:
            remedy = f"Write a table ({', '.join(TABLES)}, each also with .gz). {ACCEPTED}:\n{EXAMPLE}"
            raise at(path, "plain text has no prompts and answers", remedy)
    return paths


def _read_own(source: str, given: dict[str, Any], report: Report, aside: _Aside) -> Rows:
    count = 0
    for conversation in getattr(importlib.import_module(OWN[source].module), OWN[source].function)(**given):
        count += 1
        raw = {"messages": [message._asdict() for message in conversation.messages]}
        try:
            yield conversation._replace(messages=_checked(conversation.messages)), raw
        except _Unfit as error:
            aside.put(conversation.place, error.flaw, raw)
    report.sources.append(Source(source, documents=count))


def _read_files(top: Path, paths: list[Path], report: Report, aside: _Aside) -> Rows:
    for path, split in zip(paths, folders.given_splits(top, paths), strict=True):
        yield from _read_file(path, top, split, report, aside)


def _read_file(path: Path, top: Path, split: str | None, report: Report, aside: _Aside) -> Rows:
    name = folders.name_of(path, top)
    count = 0

    def on_fault(fault: Fault) -> None:
        nonlocal count
        count += 1
        lines = fault.raw.count("\n") + 1
        reason = f"{fault.flaw.reason}, in {lines} lines" if lines > 1 else fault.flaw.reason
        aside.put(f"{name}:{fault.number}", fault.flaw._replace(reason=reason), fault.raw)

    def rows() -> Iterator[_Placed]:
        nonlocal count
        for value, number in read_records(path, on_fault):
            count += 1
            yield value, f"{name}:{number}"

    yield from _conversations(rows(), split, path, aside)
    report.sources.append(folders.described(path, top, count))


def _read_hub(address: str, parts: tuple[str, str, str], limit: int | None, report: Report, aside: _Aside) -> Rows:
    with hub.told(address):
        report.sources.append(hub.ask(parts[0]))
        for split, stream in hub.open_streams(*parts).items():
            rows = ((row, f"{split or 'row'}:{number}") for number, row in enumerate(islice(stream, limit), 1))
            yield from _conversations(rows, split, f"hub:{address}", aside)


_Placed = tuple[Any, str]
"""A row, and where it stands."""


def _conversations(rows: Iterable[_Placed], split: str | None, source: str | Path, aside: _Aside) -> Rows:
    """Yields the rows that are conversations, and sets the others aside.

    Raises:
        WorkbookError: none of the first rows has a known format.
    """
    unknown, known, found = 0, False, "none"
    for row, place in rows:
        columns = _format(row)
        if columns is None:
            unknown += 1
            found = ", ".join(map(str, row)) if isinstance(row, dict) else f"none, but a bare {type(row).__name__}"
            aside.put(place, Flaw("unknown format", f"columns found: {found}", ACCEPTED.partition(";")[0]), row)
        else:
            known = True
            try:
                yield _conversation(row, columns, split, place), row
            except _Unfit as error:
                aside.put(place, error.flaw, row)
        if unknown >= FIRST and not known:
            break
    if unknown and not known:
        raise at(source, f"the rows have none of the known formats; columns found: {found}", f"{ACCEPTED}:\n{EXAMPLE}")


def _format(row: Any) -> tuple[str, ...] | None:
    """Returns the columns of the first format that a row has, one that it fills if there are several."""
    having = [columns for columns in FORMATS if isinstance(row, dict) and all(column in row for column in columns)]
    filled = (columns for columns in having if not any(_blank(row[column]) for column in columns))
    return next(chain(filled, having), None)


def _conversation(row: dict[str, Any], columns: tuple[str, ...], split: str | None, place: str) -> Conversation:
    """Returns the conversation of a row.

    Raises:
        _Unfit: it is none.
    """
    if columns == ("messages",):
        turns = _turns(_from_json(row["messages"], "messages"), "messages", "")
    else:
        asked, answered = columns
        system = [] if _blank(row.get("system")) else [Message("system", row["system"])]
        question = _turns(row[asked], asked, "user")
        if asked == "instruction" and not _blank(row[asked]) and not _blank(row.get("input")):
            question = [Message("user", f"{_text(row[asked], asked)}\n\n{_text(row['input'], 'input')}")]
        turns = [*system, *question, *_turns(row[answered], answered, "assistant")]
    return Conversation(
        _checked(turns),
        _name(row.get("group"), "group") or place,
        _split(row.get("split")) or split,
        place,
        _name(row.get("task"), "task"),
        _check(row.get("check")),
    )


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _from_json(value: Any, column: str) -> Any:
    """Returns a value, decoded if it is text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (RecursionError, ValueError) as error:
        raise _Unfit("broken JSON", f"{column!r} is text, but no JSON ({error})") from None


def _turns(value: Any, column: str, role: str) -> list[Message]:
    """Returns the messages of a column: a list of them, or where it may be one text, that as said by the role."""
    if role and not isinstance(value, list):
        return [Message(role, "" if value is None else value)]
    if not isinstance(value, list):
        raise _Unfit("no messages", f"{column!r} is {type(value).__name__}, not a list of messages")
    for turn in value:
        if not isinstance(turn, dict) or not {"role", "content"} <= set(turn):
            raise _Unfit("no messages", f"{column!r} holds {shorten(repr(turn))}, not an object with role and content")
    return [Message(turn["role"], "" if turn["content"] is None else turn["content"]) for turn in value]


def _text(value: Any, column: str) -> str:
    if flaw := flaw_of(value, column):
        raise _Unfit(flaw.kind, flaw.reason)
    return plain(value)


def _checked(turns: Iterable[Message]) -> tuple[Message, ...]:
    """Returns messages if they are those of a conversation; a system that says nothing is left out.

    Raises:
        _Unfit: they are not.
    """
    messages = []
    for role, content in turns:
        if role not in ROLES:
            raise _Unfit("unknown role", f"the role {shorten(repr(role))} is none of {', '.join(ROLES)}")
        messages.append(Message(role, _text(content, role)))
    if messages and messages[0].role == "system" and not messages[0].content.strip():
        del messages[0]
    if wrong := _order([message.role for message in messages]):
        raise _Unfit("wrong order of roles", wrong)
    for message in messages:
        if not message.content.strip():
            kind = "empty answer" if message.role == "assistant" else "empty prompt"
            raise _Unfit(kind, f"the {message.role} says nothing")
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
    """Returns a group or a task as text; a whole number will do."""
    if _blank(value):
        return ""
    if not isinstance(value, str | int):
        raise _Unfit("not text", f"{column!r} is {type(value).__name__}, neither text nor a whole number")
    return _text(str(value), column)


def _split(value: Any) -> str | None:
    if _blank(value):
        return None
    if str(value).strip().lower() not in folders.SPLIT_NAMES:
        raise _Unfit("unknown split", f"the split {shorten(repr(value))} is none of {', '.join(folders.SPLIT_NAMES)}")
    return folders.SPLIT_NAMES[str(value).strip().lower()]


def _check(value: Any) -> str:
    """Returns how an answer is to be judged as JSON text, if it is an object or empty."""
    if _blank(value):
        return ""
    check = _from_json(value, "check")
    if not isinstance(check, dict):
        raise _Unfit("broken check", f"'check' is {type(check).__name__}, not an object")
    return _text(json.dumps(check, ensure_ascii=False, default=str), "check")


def _digest(messages: Iterable[Message]) -> int:
    """Returns a hash of messages, which tells roles and contents apart."""
    said = json.dumps(list(messages)).encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "big")


@dataclass
class _Index:
    """What decides the splits, of each row."""

    given: list[str | None] = field(default_factory=list)
    rows: array[int] = field(default_factory=lambda: array("Q"))
    prompts: array[int] = field(default_factory=lambda: array("Q"))
    places: array[float] = field(default_factory=lambda: array("d"))

    def add(self, row: Conversation) -> None:
        prompt = _digest(row.messages[:-1])
        self.given.append(row.split)
        self.rows.append(_digest(row.messages))
        self.prompts.append(prompt)
        self.places.append(place_of(row.group if row.group != row.place else str(prompt)))

    def splits(self, report: Report) -> list[str]:
        """Returns the split of each row: the one that the source names, or by its place."""
        named = {split for split in self.given if split}
        if "train" in named and len(named) > 1:
            names = {"train": "train", "test": "test", "validation": "validation" if "test" in named else "test"}
        else:
            names = {}
        if named and not names:
            report.problems.append(f"rows are named for {' and '.join(sorted(named))} alone: divided by a hash instead")
        lowest, highest = min(self.places, default=0.0), max(self.places, default=0.0)
        return [
            names.get(split or "")
            or ("test" if (place < HELD_OUT or place == lowest) and place != highest else "train")  # neither is empty
            for split, place in zip(self.given, self.places, strict=True)
        ]

    def flaws(self, splits: list[str]) -> Iterator[Flaw | None]:
        """Yields what is wrong with each row beside the others: what is in train stays there."""
        train = {prompt for prompt, split in zip(self.prompts, splits, strict=True) if split == "train"}
        seen: set[int] = set()
        for row, prompt, split in zip(self.rows, self.prompts, splits, strict=True):
            if split != "train" and prompt in train:
                yield Flaw("prompt stands in train", "its prompt is in train too", "Take another prompt to test with")
            elif row in seen:
                yield Flaw(REPEATED, "an earlier row has the same messages", "Nothing: one is kept")
            else:
                seen.add(row)
                yield None


def _divided(rows: Iterable[str], index: _Index, aside: _Aside) -> Iterator[dict[str, Any]]:
    """Yields the rows, from their JSON, with their splits; sets aside those that another makes worthless."""
    splits = index.splits(aside.report)
    for line, split, flaw in zip(rows, splits, index.flaws(splits), strict=True):
        values, raw = json.loads(line)
        conversation = Conversation(*values)
        if flaw:
            aside.put(conversation.place, flaw, raw)
        else:
            yield _columns(conversation) | {"split": split}
