"""Rows from the Hugging Face Hub, through `datasets`: streamed, so that no more is fetched than is asked for.

The tests read a local folder in the Hub's layout (a README.md with the configurations, Parquet files under `data/`),
through the same calls; no test has spoken to the Hub itself. Code of a data set is never run.

What was fetched stays in the cache under the source's name, and the report tells its revision: a later version on the
Hub is read only when `data/cache` is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from helpers.corpora.readers.folders import stamps
from helpers.corpora.readers.tables import SPLIT_NAMES
from helpers.corpora.report import Source, shorten
from helpers.corpora.rows import Input, Part, Row
from helpers.files import WorkbookError, shown
from helpers.imports import code_version

if TYPE_CHECKING:
    from datasets import IterableDataset

PREFIX = "hub:"
TIMEOUT = 10  # seconds to wait for the Hub's first answer


class Address(NamedTuple):
    """`hub:owner/name[:config][:split][:column]`; parts may be empty (`hub:owner/name::train`).

    A name that begins with `.` or `/` is a local folder in the Hub's layout.
    """

    name: str
    config: str
    split: str
    column: str

    @property
    def local(self) -> Path | None:
        """The local folder, if it is one."""
        return Path(self.name) if self.name.startswith((".", "/")) else None


def parse(source: str) -> Address:
    """Splits a source that begins with `hub:` into its parts; `~` in front of a folder is expanded.

    Raises:
        WorkbookError: it is malformed, or means a local folder that is not there.
    """
    parts = source.removeprefix(PREFIX).split(":")
    if parts[0].startswith("~"):
        parts[0] = str(Path(parts[0]).expanduser())
    if len(parts) > 4 or not parts[0]:
        raise WorkbookError(f"{source}: write hub:owner/name[:config][:split][:column].")
    address = Address(*(*parts, "", "", "")[:4])
    if address.local and not address.local.is_dir():
        raise WorkbookError(f"{source}: there is no folder {address.name}. Without . or / in front it means the Hub.")
    return address


def open_hub(source: str, limit: int | None = None) -> Input:
    """Opens a data set of the Hub, to be read as rows; the numbers of a ClassLabel become the names of its classes.

    Splits named train, validation and test are kept; of each, `limit` rows are read at most.

    Raises:
        WorkbookError: the address is malformed; or, on the way, the Hub does not give the data.
    """
    address = parse(source)
    notes: list[str] = []

    def parts() -> Iterator[Part]:
        with told(source):
            about = ask(address)
            streams, unread = open_streams(address)
        notes.extend([unread] if unread else [])
        for split, stream in streams.items():
            name = split or "row"
            rows, where = partial(_rows, source, stream, limit), f"{source}, {name}:{{}}".format
            yield Part(name, split, rows, where, replace(about, name=f"{about.name}, {name}"))

    # Of the Hub's data sets nothing is asked to see whether they have changed.
    local = stamps(sorted(address.local.rglob("*"))) if address.local else []
    return Input(shown(source), [source, str(limit), code_version(__name__), *local], parts, notes)


def _rows(source: str, stream: IterableDataset, limit: int | None) -> Iterator[Row]:
    from datasets import ClassLabel

    classes = {
        name: dict(enumerate(f.names)) for name, f in (stream.features or {}).items() if isinstance(f, ClassLabel)
    }
    with told(source):
        for number, row in enumerate(islice(stream, limit), 1):
            # A hidden class is None: of a split without labels all have -1.
            named = {column: names.get(row.get(column)) for column, names in classes.items()}
            yield Row(row | named, number)


@contextmanager
def told(source: str) -> Iterator[None]:
    """Turns whatever the Hub's libraries raise into one error that names the data set and the remedy."""
    try:
        yield
    except WorkbookError:
        raise
    except Exception as error:  # errors of many kinds, all of them the Hub's "no"
        raise WorkbookError(
            f"{source}: the data set cannot be read: {type(error).__name__}: {shorten(str(error), 300)}. "
            "Check the name and the connection (and that HF_HUB_OFFLINE is not set), or name a local file instead."
        ) from error


def ask(address: Address) -> Source:
    """Asks the Hub for the data set once and without retries, which tells within seconds whether it can be reached."""
    from huggingface_hub import HfApi

    if address.local:
        return Source(address.local.name, "local folder")
    about = HfApi().dataset_info(address.name, timeout=TIMEOUT)
    licence = about.card_data.get("license") if about.card_data else None
    return Source(address.name, version=about.sha or "", licence=str(licence or "not stated"))


def open_streams(address: Address) -> tuple[dict[str | None, IterableDataset], str]:
    """Opens the streams, by the corpus' split, None for one that is to be divided; and says what is not read."""
    from datasets import load_dataset

    name, config, split, _ = address
    if split:
        return {None: load_dataset(name, config or None, split=split, streaming=True, trust_remote_code=False)}, ""
    found = load_dataset(name, config or None, streaming=True, trust_remote_code=False)
    if len(found) == 1:
        ((only, stream),) = found.items()
        alone = f"its only split, {only}, is divided by a hash" if SPLIT_NAMES.get(str(only)) != "train" else ""
        return {None: stream}, alone
    streams: dict[str | None, IterableDataset] = {}
    for key, stream in found.items():
        streams.setdefault(SPLIT_NAMES.get(str(key).split("_")[0]), stream)
    if "train" not in streams:
        raise WorkbookError(f"hub:{name}: none of the splits is for training. Choose one of: {', '.join(found)}.")
    streams.pop(None, None)
    unread = [str(key) for key, stream in found.items() if all(stream is not read for read in streams.values())]
    return streams, f"splits not read: {', '.join(unread)}; one alone is named after ::" if unread else ""
