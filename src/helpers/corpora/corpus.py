"""What every source becomes: documents in splits, on disk once, memory-mapped, with a report and a fingerprint.

Documents are written as Arrow streams under `data/cache`, one file a split, which `datasets` maps into memory without
reading them. Left out: the cache of `datasets` itself, which lies outside the workbook and whose keys do not say what
a corpus was made of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import files
from helpers.corpora.report import Report, Tally

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

SPLITS = ("train", "validation", "test")
HELD_OUT = 0.05
"""Share of the groups in each of validation and test."""

MakeWithFiles = Callable[[Report, Path], Iterable[dict[str, Any]]]
"""Yields documents, and may write files of its own into the folder."""

_BATCH = 1000
_BATCH_CHARACTERS = 1 << 24
"""A batch ends with whichever is reached first, so that long documents do not fill the memory."""


@dataclass(frozen=True)
class Corpus:
    """Documents ready for use.

    Attributes:
        name: the source it was loaded from.
        kind: what a document is, one of `helpers.corpora.KINDS`.
        splits: for `train`, `validation` and `test` (those that there are) a data set with at least the columns `text`
            and `group`, and for kind `labels` also `label`, for `prompts` those of `helpers.corpora.kinds.prompts`.
            The group is what was sampled (module, person, file): the unit that a bootstrap draws.
        report: what was read, kept and removed.
        fingerprint: of the documents and their splits.
        folder: where the splits lie, and whatever else was written with them.
    """

    name: str
    kind: str
    splits: dict[str, Dataset]
    report: Report
    fingerprint: str
    folder: Path


def split_of(group: str) -> str:
    """Returns the split of a group, by a hash of its name alone: 90% train, 5% validation, 5% test.

    So a group stays in its split whatever else is in the corpus, on any machine.
    """
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
    make: Callable[[Report], Iterable[dict[str, Any]]],
    kind: str = "text",
) -> Corpus:
    """Returns the corpus from the cache, made first if it is not there.

    Args:
        name: its source, as the user gave it.
        key: what it depends on; a change of any part makes it anew.
        columns: the Arrow schema of a document; `text` and `group` at least.
        make: yields the documents in order, each with its columns and `split` (None where its group's hash is to
            decide), and enters into the report what it left out. It is only called if the corpus is made.
        kind: what a document is.

    Raises:
        WorkbookError: no document was left.
    """
    return cached_with_files(name, key, columns, lambda report, _: make(report), kind)


def cached_with_files(
    name: str, key: Iterable[str], columns: pa.Schema, make: MakeWithFiles, kind: str = "text"
) -> Corpus:
    """Returns the corpus from the cache like `cached`, whose `make` is also given the folder and may write more there.

    What it writes lies beside the splits, in `Corpus.folder`.

    Raises:
        WorkbookError: no document was left.
    """
    from datasets import Dataset

    folder = files.CACHE / "corpora" / files.fingerprint([kind, name, *key])
    if not folder.exists():
        with files.replacing(folder) as partial:
            partial.mkdir()
            _write(partial, columns, lambda report: make(report, partial), Report(name))
    about = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
    splits = {split: Dataset.from_file(str(folder / f"{split}.arrow")) for split in about["report"]["kept"]}
    return Corpus(name, kind, splits, Report.from_dict(about["report"]), about["fingerprint"], folder)


def _write(
    folder: Path, columns: pa.Schema, make: Callable[[Report], Iterable[dict[str, Any]]], report: Report
) -> None:
    """Writes the documents in one stream as they come, then each into its split, then the report."""
    import pyarrow as pa

    everything = folder / "all.arrow"
    schema = columns.append(pa.field("split", pa.string()))
    with pa.ipc.new_stream(everything, schema) as stream:
        for batch in _batches(make(report)):
            stream.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
    _divide(everything, columns, report)
    if not report.kept:
        raise files.WorkbookError(f"{report.name}: no document is left to read.\n{report}")
    everything.unlink()
    parts = (part for split in report.kept for part in _parts(folder / f"{split}.arrow", split))
    about = {"fingerprint": files.fingerprint(parts), "report": report.as_dict()}
    files.write_json(folder / "corpus.json", about)


def _divide(everything: Path, columns: pa.Schema, report: Report) -> None:
    """Distributes the documents of one stream over a stream for each split, and counts them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    open_groups = {
        group
        for batch in _read(everything)
        for group, split in zip(batch["group"].to_pylist(), batch["split"].to_pylist(), strict=True)
        if split is None
    }
    decided = split_groups(open_groups)
    for split in SPLITS:
        tally = Tally()
        path = everything.with_name(f"{split}.arrow")
        with pa.ipc.new_stream(path, columns) as stream:
            for batch in _read(everything):
                given = zip(batch["split"].to_pylist(), batch["group"].to_pylist(), strict=True)
                mine = batch.filter(pa.array([(s or decided[g]) == split for s, g in given], pa.bool_()))
                stream.write_batch(mine.select(columns.names))
                tally.documents += mine.num_rows
                tally.bytes += pc.sum(pc.binary_length(mine["text"])).as_py() or 0
        if tally.documents:
            report.kept[split] = tally
        else:
            path.unlink()


def _read(path: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as stream:
        yield from stream


def _parts(path: Path, split: str) -> Iterator[str]:
    """Yields what a fingerprint is made of: each document's split, group, text, and what its kind has besides."""
    for batch in _read(path):
        names = [name for name in ("group", "text", "label", "task", "check", "messages") if name in batch.schema.names]
        for values in zip(*(batch[name].to_pylist() for name in names), strict=True):
            yield split
            for value in values:
                yield from [value] if isinstance(value, str) else (part for turn in value for part in turn.values())


def _batches(documents: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += len(document["text"])
        if len(batch) == _BATCH or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def place_of(group: str) -> float:
    """Returns a number in [0, 1) that depends on the group's name alone."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
