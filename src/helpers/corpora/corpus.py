"""What every source becomes: documents in splits, on disk once, memory-mapped, with a report and a fingerprint.

Documents are written as Arrow streams under `data/cache`, one file a split, which `datasets` maps into memory without
reading them; rows that cannot be used are written beside them, each with its remedy. Left out: the cache of `datasets`
itself, which lies outside the workbook and whose keys do not say what a corpus was made of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from helpers import files
from helpers.corpora.report import Report, Tally, shorten
from helpers.corpora.rows import Flaw

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

SPLITS = ("train", "validation", "test")
HELD_OUT = 0.05
"""Share of the groups in each of validation and test."""

SET_ASIDE = "set-aside.jsonl"
"""The file of the rows that were set aside: in each line an object with place, kind, reason, remedy, and the row."""

_BATCH = 1000
_BATCH_CHARACTERS = 1 << 24
"""A batch ends with whichever is reached first, so that long documents do not fill the memory."""


class Faulty(NamedTuple):
    """A row that is set aside; `shown` is what the report shows of it, in place of the reason."""

    place: str
    flaw: Flaw
    row: Any
    shown: str = ""


Make = Callable[[Report], Iterable[dict[str, Any] | Faulty]]
"""Yields the documents in order, each with its columns and `split` (None where its group's hash is to decide), and the
rows to be set aside; enters into the report whatever else is left out."""

Settle = Callable[[Report], Iterator[str | Flaw]]
"""Yields for each document, when all are known, its split or why it is set aside."""


@dataclass(frozen=True)
class Corpus:
    """Documents ready for use.

    Attributes:
        splits: for `train`, `validation` and `test` (those that there are) a data set with at least the columns `text`
            and `group`, and those of its kind. The group is what was sampled (module, person, file): the unit that a
            bootstrap draws.
        folder: where the splits lie, and the rows that were set aside.
    """

    name: str
    kind: str
    splits: dict[str, Dataset]
    report: Report
    fingerprint: str
    folder: Path


def place_of(group: str) -> float:
    """Returns a number in [0, 1) that depends on the group's name alone."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64


def split_of(group: str) -> str:
    """Returns the split of a group, by a hash of its name alone: 90% train, 5% validation, 5% test."""
    place = place_of(group)
    return "test" if place < HELD_OUT else "validation" if place < 2 * HELD_OUT else "train"


def split_groups(groups: Iterable[str]) -> dict[str, str]:
    """Returns the split of each group, as `split_of` has it, but leaves none of the three empty.

    A small source may by chance have nothing to hold out: then the group whose hash comes closest is. With fewer than
    three groups all are for training.
    """
    ranked = sorted(set(groups), key=place_of)
    splits = {group: split_of(group) for group in ranked}
    if len(ranked) >= len(SPLITS):
        splits[ranked[0]], splits[ranked[-1]] = "test", "train"
        if "validation" not in splits.values():
            at = sum(split == "test" for split in splits.values())
            splits[ranked[min(at, len(ranked) - 2)]] = "validation"
    return splits


def cached(
    name: str,
    key: Iterable[str],
    columns: pa.Schema,
    make: Make,
    kind: str = "text",
    identity: Sequence[str] = ("group", "text"),
    settle: Settle | None = None,
) -> Corpus:
    """Returns the corpus from the cache, made first if it is not there.

    Args:
        key: what it depends on; a change of any part makes it anew.
        make: called only if the corpus is made. If there is a `settle`, each document also has its `place`, and as
            `row` what was read, as JSON.
        identity: the columns that the fingerprint is made of, in this order.
        settle: None to go by `split`, and by the group's hash.

    Raises:
        WorkbookError: no document was left.
    """
    from datasets import Dataset

    folder = files.CACHE / "corpora" / files.fingerprint([kind, name, *key])
    if not folder.exists():
        with files.replacing(folder) as partial_folder:
            partial_folder.mkdir()
            try:
                _write(partial_folder, columns, make, settle, identity, Report(name))
            except files.WorkbookError as error:
                raise _with_remedies(error, partial_folder / SET_ASIDE, folder) from None
    about = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
    splits = {split: Dataset.from_file(str(folder / f"{split}.arrow")) for split in about["report"]["kept"]}
    report = Report.from_dict(about["report"])
    if (folder / SET_ASIDE).exists():
        kept = (folder / SET_ASIDE).relative_to(files.CACHE.parents[1])  # a page that is shared names no home
        report.problems.append(f"the rows that were set aside are in {kept}, with remedies")
    return Corpus(name, kind, splits, report, about["fingerprint"], folder)


def _with_remedies(error: files.WorkbookError, aside: Path, folder: Path) -> files.WorkbookError:
    """Keeps the rows that were set aside, if there are any, though there will be no corpus; the error names them."""
    if not aside.exists() or not aside.stat().st_size:
        return error
    kept = aside.replace(folder.with_name(f"{folder.name}-{SET_ASIDE}"))
    return files.WorkbookError(f"{error}\nThe rows that were set aside are in {kept}, with remedies.")


def _write(
    folder: Path, columns: pa.Schema, make: Make, settle: Settle | None, identity: Sequence[str], report: Report
) -> None:
    """Writes the documents in one stream as they come, then each into its split, then the report."""
    import pyarrow as pa

    everything, aside = folder / "all.arrow", folder / SET_ASIDE
    own = [(name, pa.string()) for name in ("split", "place", "row") if name not in columns.names]
    schema = pa.schema([*columns, *own])
    with aside.open("wb") as stream:
        put = partial(_set_aside, stream, report)
        with pa.ipc.new_stream(everything, schema) as spool:
            for batch in _batches(make(report), put):
                spool.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
        _divide(everything, columns, settle(report) if settle else _by_group(everything), put, report)
    if not report.kept:
        raise files.WorkbookError(f"{report.name}: no document is left to read.\n{report}")
    everything.unlink()
    if not aside.stat().st_size:
        aside.unlink()
    parts = (part for split in report.kept for part in _parts(folder / f"{split}.arrow", split, identity))
    about = {"fingerprint": files.fingerprint(parts), "report": asdict(report)}
    files.write_json(folder / "corpus.json", about)


def _set_aside(stream: IO[bytes], report: Report, faulty: Faulty) -> None:
    """Writes a row down with its flaw, and counts it."""
    row = {"place": faulty.place, **faulty.flaw._asdict(), "row": faulty.row}
    line = json.dumps(row, ensure_ascii=False, default=str) + "\n"
    stream.write(line.encode("utf-8", "backslashreplace"))  # half a surrogate pair becomes its escape in JSON
    text = faulty.row if isinstance(faulty.row, str) else json.dumps(faulty.row, default=str)
    example = f"{faulty.place}: {faulty.shown or shorten(faulty.flaw.reason)}"
    report.remove(faulty.flaw.kind, *(part.encode("utf-8", "backslashreplace").decode() for part in (text, example)))


def shown(document: dict[str, Any]) -> str:
    """Returns what the report shows of a document that is set aside for others' sake: label and beginning."""
    label = f"{shorten(document['label'])}: " if "label" in document else ""
    return label + shorten(document["text"])


def _divide(
    everything: Path,
    columns: pa.Schema,
    verdicts: Iterator[str | Flaw],
    put: Callable[[Faulty], None],
    report: Report,
) -> None:
    """Distributes the documents of one stream over a stream for each split, and counts them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    tallies = {split: Tally() for split in SPLITS}
    paths = {split: everything.with_name(f"{split}.arrow") for split in SPLITS}
    with ExitStack() as stack:
        streams = {split: stack.enter_context(pa.ipc.new_stream(path, columns)) for split, path in paths.items()}
        for batch in _read(everything):
            decided = list(islice(verdicts, batch.num_rows))
            for i, verdict in enumerate(decided):
                if isinstance(verdict, Flaw):
                    document = batch.slice(i, 1).to_pylist()[0]
                    put(Faulty(document["place"], verdict, json.loads(document["row"]), shown(document)))
            for split, tally in tallies.items():
                mine = batch.filter(pa.array([verdict == split for verdict in decided], pa.bool_()))
                streams[split].write_batch(mine.select(columns.names))
                tally.documents += mine.num_rows
                tally.bytes += pc.sum(pc.binary_length(mine["text"])).as_py() or 0
        for more in verdicts:  # lets it raise what is wrong with all
            raise AssertionError(f"a verdict without a document: {more}")
    report.kept.update({split: tally for split, tally in tallies.items() if tally.documents})
    for split in tallies.keys() - report.kept.keys():
        paths[split].unlink()


def _by_group(everything: Path) -> Iterator[str]:
    """Yields the split of each document: its own, or by its group's hash."""

    def named() -> Iterator[tuple[str, str | None]]:
        for batch in _read(everything):
            yield from zip(batch["group"].to_pylist(), batch["split"].to_pylist(), strict=True)

    decided = split_groups({group for group, split in named() if split is None})
    yield from (split or decided[group] for group, split in named())


def _read(path: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stream:
        yield from stream


def _parts(path: Path, split: str, identity: Sequence[str]) -> Iterator[str]:
    """Yields what a fingerprint is made of: each document's split, and its values in the columns of its identity."""
    for batch in _read(path):
        for values in zip(*(batch[name].to_pylist() for name in identity), strict=True):
            yield split
            for value in values:
                yield from [value] if isinstance(value, str) else (part for turn in value for part in turn.values())


def _batches(
    documents: Iterable[dict[str, Any] | Faulty], put: Callable[[Faulty], None]
) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    characters = 0
    for document in documents:
        if isinstance(document, Faulty):
            put(document)
            continue
        batch.append(document)
        characters += len(document["text"])
        if len(batch) == _BATCH or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
