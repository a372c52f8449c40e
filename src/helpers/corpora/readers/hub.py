"""Text from the Hugging Face Hub, through `datasets`: streamed, so that no more is fetched than is asked for.

The tests read a local folder in the Hub's layout (a README.md with the configurations, Parquet files under `data/`),
through the same calls; no test has spoken to the Hub itself. Code of a data set is never run.

What was fetched stays in the cache under the source's name, and the report tells its revision: a later version on the
Hub is read only when `data/cache` is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.corpora.corpus import Corpus, cached
from helpers.corpora.readers.folders import SPLIT_NAMES, new_texts, schema, stamps
from helpers.corpora.readers.tables import checked, require
from helpers.corpora.report import Report, Source, shorten
from helpers.files import WorkbookError
from helpers.imports import code_version

if TYPE_CHECKING:
    from datasets import IterableDataset

TIMEOUT = 10
"""Seconds to wait for the Hub's first answer."""


def load(address: str, column: str = "text", limit: int | None = None) -> Corpus:
    """Loads a data set of the Hub.

    Args:
        address: `owner/name[:config][:split][:column]`; parts may be empty (`owner/name::train`). A path that begins
            with `.` or `/` is a local folder in the Hub's layout.
        column: which column holds the text, where the address does not say it.
        limit: how many documents to take at most of each split; None for all.

    Returns:
        The corpus; columns `text` and `group` (the row). Splits named train, validation and test are kept; a single
        split is divided by a hash of the row.

    Raises:
        WorkbookError: the address is malformed, or the Hub does not give the data; it says what was tried.
    """
    name, config, split, column = parse(address, column)

    def make(report: Report) -> Iterator[dict[str, Any]]:
        with told(address):
            report.sources.append(ask(name))
            yield from _documents(open_streams(name, config, split), column, limit, address, report)

    key = [column, str(limit), code_version(__name__), *local_stamps(name)]
    return cached(f"hub:{address}", key, schema(), make)


def parse(address: str, column: str) -> tuple[str, str, str, str]:
    """Splits `owner/name[:config][:split][:column]` into its four parts, with `column` where it names none.

    Raises:
        WorkbookError: it is malformed, or means a local folder that is not there.
    """
    parts = address.split(":")
    if len(parts) > 4 or not parts[0]:
        raise WorkbookError(f"hub:{address}: write hub:owner/name[:config][:split][:column].")
    name, config, split, own_column = (*parts, "", "", "")[:4]
    local = _local(name)
    if local and not local.is_dir():
        raise WorkbookError(f"hub:{address}: there is no folder {name}. Without . or / in front it means the Hub.")
    return name, config, split, own_column or column


def local_stamps(name: str) -> list[str]:
    """Returns what tells whether a local folder has changed; of the Hub's data sets nothing is asked."""
    local = _local(name)
    return stamps(sorted(local.rglob("*"))) if local else []


def _local(name: str) -> Path | None:
    return Path(name) if name.startswith((".", "/")) else None


@contextmanager
def told(address: str) -> Iterator[None]:
    """Turns whatever the Hub's libraries raise into one error that names the data set and the remedy."""
    try:
        yield
    except WorkbookError:
        raise
    except Exception as error:  # errors of many kinds, all of them the Hub's "no"
        raise WorkbookError(
            f"hub:{address}: the data set cannot be read: {type(error).__name__}: {shorten(str(error), 300)}. "
            "Check the name and the connection (and that HF_HUB_OFFLINE is not set), or name a local file instead."
        ) from error


def ask(name: str) -> Source:
    """Asks the Hub for the data set once and without retries, which tells within seconds whether it can be reached."""
    from huggingface_hub import HfApi

    if local := _local(name):
        return Source(local.name, "local folder")
    about = HfApi().dataset_info(name, timeout=TIMEOUT)
    licence = about.card_data.get("license") if about.card_data else None
    return Source(name, version=about.sha or "", licence=str(licence or "not stated"))


def open_streams(name: str, config: str, split: str) -> dict[str | None, IterableDataset]:
    """Opens the streams, by the corpus' split; None for one that is to be divided."""
    from datasets import load_dataset

    if split:
        return {None: load_dataset(name, config or None, split=split, streaming=True)}
    found = load_dataset(name, config or None, streaming=True)
    if len(found) == 1:
        return {None: next(iter(found.values()))}
    streams = {SPLIT_NAMES.get(str(key).split("_")[0]): stream for key, stream in found.items()}
    if "train" not in streams:
        raise WorkbookError(f"hub:{name}: none of the splits is for training. Choose one of: {', '.join(found)}.")
    streams.pop(None, None)
    return streams


def _documents(
    streams: dict[str | None, IterableDataset], column: str, limit: int | None, address: str, report: Report
) -> Iterator[dict[str, Any]]:
    def items(split: str | None, stream: IterableDataset) -> Iterator[tuple[str, str]]:
        for number, row in enumerate(islice(stream, limit), 1):
            require({"column": column}, list(row), f"hub:{address}")
            yield f"{split or 'row'}:{number}", checked(row[column], f"hub:{address}, row {number}", None, column)

    every = (item for split, stream in streams.items() for item in items(split, stream))
    for label, text in new_texts(every, report):
        split = label.partition(":")[0]
        yield {"text": text, "group": label, "split": split if split in streams else None}
