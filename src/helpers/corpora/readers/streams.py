"""What if the text is too large for memory and cache? Documents as they come, each process from its own files.

Nothing is written and nothing but a buffer is kept, so memory does not grow with the text (but a .json and a compressed
.parquet file of a path are held whole while they are read). Whole files are dealt to the processes. Left out, for it
would need the whole text: documents that repeat earlier ones are not removed, and the shuffling is local: a document
moves by about `BUFFER` places and with its file. A faulty row ends the stream with an error: `python -m helpers report`
finds all of them before.

What `datasets` has would not do: `split_dataset_by_node` lets each process read all files unless their number is a
multiple of the processes', and the buffer of `IterableDataset.shuffle` counts documents but not their size.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.corpora.readers import folders, hub
from helpers.corpora.readers.tables import SPLIT, SPLIT_NAMES, read_rows, text_in, where
from helpers.corpora.rows import Row, Unfit
from helpers.files import WorkbookError, at, fingerprint

if TYPE_CHECKING:
    from datasets import IterableDataset

SPLITS = ("train", "validation")
HELD_OUT = 0.01
"""Share of the documents that are held out for validation where the source has no such split."""

BUFFER = 1000
"""Documents among which the next one is drawn."""

BUFFER_CHARACTERS = 1 << 25
"""Characters that these have at most together; with very long documents the buffer holds fewer."""

File = Callable[[], Iterator[str]]


def stream(
    source: str, split: str, *, column: str = "text", rank: int = 0, processes: int = 1, seed: int = 0
) -> IterableDataset:
    """Opens a source as a stream of documents; the same arguments give the same documents in the same order.

    Splits that the source has (files all named for one, splits of a Hub data set) are kept, but for test, which is not
    read. Where there is none for validation, a document's hash decides, so that all its copies fall on the same side.
    A piece of a text file counts as a document.

    Args:
        source: a path to a file or a folder (`readers.folders`), or a data set of the Hub (`readers.hub`).
        split: `train` repeats for ever, in each epoch with another order of the files and shuffled through a buffer;
            `validation` goes once through the files, in order.
        processes: there must be a file for each. Those of a path are dealt by their size, those of a Hub data set by
            their number.

    Returns:
        A stream of rows with `text`, one shard, already this process' own: nothing may divide it once more.

    Raises:
        WorkbookError: the source cannot be opened or has too few files; or, on the way, something cannot be read or no
            document is left for training.
    """
    from datasets import Features, IterableDataset, Value

    if split not in SPLITS:
        raise WorkbookError(f"split {split!r} is unknown. Known: {', '.join(SPLITS)}.")
    mine, divided = _dealt(source, split, column, rank, processes)
    arguments: dict[str, Any] = {
        "files": tuple(mine),  # a tuple: datasets takes lists for shards
        "held_out": split == "validation" if divided else None,
    }
    if split == "train":
        arguments |= {"seed": seed, "whose": f"{source}, process {rank} of {processes}"}
    return IterableDataset.from_generator(
        _epochs if split == "train" else _once, features=Features({"text": Value("string")}), gen_kwargs=arguments
    )


def _dealt(source: str, split: str, column: str, rank: int, processes: int) -> tuple[list[File], bool]:
    """Returns the files of a process, and whether their documents are to be divided into train and validation."""
    if source.partition(":")[0] in ("pydocs", "town"):
        raise at(source, "it is no source for streams", "Load it with helpers.corpora.load; it fits into memory")
    of_hub = source.startswith(hub.PREFIX)
    found = _hub_files(source, column) if of_hub else _local_files(Path(source).expanduser(), column)
    divided = "validation" not in found
    files, sizes = zip(*found[split if not divided else "train" if "train" in found else None], strict=True)
    if len(files) < processes:
        remedy = f"Divide the text into {processes} files or more, or start fewer processes"
        raise at(source, f"{len(files)} file(s) for {split} cannot be dealt to {processes} processes", remedy)
    return [files[i] for i in deal(sizes, processes)[rank]], divided


def deal(sizes: Sequence[int], processes: int) -> list[list[int]]:
    """Deals files, by index: the largest first, each to the process with the fewest bytes so far (Graham 1969, LPT)."""
    hands: list[list[int]] = [[] for _ in range(processes)]
    heap = [(0, 0, rank) for rank in range(processes)]
    for file in sorted(range(len(sizes)), key=lambda file: -sizes[file]):  # ties stay in order
        load, count, rank = heap[0]
        hands[rank].append(file)
        heapq.heapreplace(heap, (load + sizes[file], count + 1, rank))
    return [sorted(hand) for hand in hands]


def _local_files(top: Path, column: str) -> dict[str | None, list[tuple[File, int]]]:
    """Finds files and their bytes, by split; None for what is to be divided."""
    files = folders.find(top)
    if files.unclear:  # there is no report to say it in
        raise at(top, files.unclear, "Or move away what is not to be read")
    found: dict[str | None, list[tuple[File, int]]] = {}
    for path, split in zip(files.paths, files.splits, strict=True):
        found.setdefault(split, []).append((partial(_read_file, path, column), path.stat().st_size))
    return found


def _hub_files(source: str, column: str) -> dict[str | None, list[tuple[File, int]]]:
    """Finds the shards of a data set, by split, each of size 1: how large they are is not asked."""
    address = hub.parse(source)
    column = address.column or column
    with hub.told(source):
        hub.ask(address)
        opened, _ = hub.open_streams(address)
    return {
        split: [(partial(_read_shard, source, shards, i, column), 1) for i in range(shards.num_shards)]
        for split, shards in opened.items()
    }


def _read_file(path: Path, column: str) -> Iterator[str]:
    return _sound(read_rows(path, {"column": column}), partial(where, path), column)


def _read_shard(source: str, shards: IterableDataset, index: int, column: str) -> Iterator[str]:
    with hub.told(source):
        file = shards.shard(shards.num_shards, index).reshard()  # by row groups, or datasets reads a Parquet file whole
        rows = (Row(row, number) for number, row in enumerate(file, 1))
        yield from _sound(rows, f"{source}, file {index + 1}, row {{}}".format, column)


def _sound(rows: Iterable[Row], where: Callable[[int], str], column: str) -> Iterator[str]:
    """Yields the text of each row, or raises WorkbookError."""
    for value, number, flaw in rows:
        try:
            if flaw:
                raise Unfit(*flaw)
            if isinstance(value, dict) and SPLIT_NAMES.get(str(value.get(SPLIT)).strip().lower(), "train") != "train":
                remedy = "Write a file for each split, named for it"
                raise Unfit("split", f"a stream does not divide by the column {SPLIT!r}, here {value[SPLIT]!r}", remedy)
            yield text_in(value, column)
        except Unfit as unfit:
            raise at(where(number), unfit.flaw.reason, unfit.flaw.remedy) from None


def _texts(files: Iterable[File], held_out: bool | None) -> Iterator[str]:
    """Yields the texts that are not empty: the held-out ones, the others, or with None all."""
    for file in files:
        for text in file():
            if text.strip() and held_out in (None, int(fingerprint([text]), 16) < HELD_OUT * 2**64):
                yield text


def _once(files: tuple[File, ...], held_out: bool | None) -> Iterator[dict[str, str]]:
    yield from ({"text": text} for text in _texts(files, held_out))


def _epochs(files: tuple[File, ...], held_out: bool | None, seed: int, whose: str) -> Iterator[dict[str, str]]:
    for epoch in itertools.count():
        draw = random.Random(f"stream {seed} {epoch}").random
        order = sorted(files, key=lambda _: draw())
        text = None
        for text in _shuffled(_texts(order, held_out), draw):
            yield {"text": text}
        if text is None:
            reason = "no document is left for training: all are empty or held out"
            raise at(whose, reason, "Give it more text, or start fewer processes")


def _shuffled(texts: Iterable[str], draw: Callable[[], float]) -> Iterator[str]:
    buffer: list[str] = []
    characters = 0
    for text in texts:
        buffer.append(text)
        characters += len(text)
        while len(buffer) > BUFFER or characters > BUFFER_CHARACTERS:
            place = int(draw() * len(buffer))
            buffer[place], buffer[-1] = buffer[-1], buffer[place]
            characters -= len(buffer[-1])
            yield buffer.pop()
    yield from sorted(buffer, key=lambda _: draw())
