"""What does it read? One way in for every source, one report, one result.

A source is a name (`pydocs`, `town`), a path to the reader's own file or folder, or `hub:owner/name`. Whatever it is,
`load` gives a `Corpus`: documents in splits, memory-mapped, with a report of what was read, kept and removed. This
module alone knows all sources and kinds; none of them knows another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.corpora.corpus import Corpus
from helpers.corpora.report import Report
from helpers.files import WorkbookError, at
from helpers.imports import code_version

if TYPE_CHECKING:
    from helpers.corpora.kinds.loading import Kind
    from helpers.corpora.rows import Conversation, Input, Labelled

__all__ = ["KINDS", "Corpus", "Report", "load"]

OWN = {
    "text": ("pydocs", "town"),
    "labels": ("pydocs-packages", "pydocs-order"),
    "prompts": ("town", "pydocs-functions"),
}
"""The workbook's own sources of each kind of document."""

KINDS = tuple(OWN)
"""The kinds of document there are."""


def load(
    source: str,
    kind: str = "text",
    *,
    column: str = "text",
    label: str = "label",
    limit: int | None = None,
    people: int | None = None,
    town_bytes: int | None = None,
    seed: int = 0,
    packages: Iterable[str] = (),
) -> Corpus:
    """Loads a corpus, from the cache where it was loaded before.

    Args:
        source: a name of `OWN`, a path to a file or a folder (`helpers.corpora.readers.folders`), or
            `hub:owner/name[:config][:split][:column]`, a data set of the Hub (`helpers.corpora.readers.hub`).
        kind: what a document is: `text`, `labels` for texts that each have one, or `prompts` for conversations.
        column: which column or key of a table, a JSON object or a data set holds the text.
        label: which one holds the label, if kind is `labels`.
        limit: how many rows to take at most of each split of the Hub; None for all. Many data sets are sorted by label.
        people: inhabitants of the town.
        town_bytes: bytes of the training split of the town's chronicle.
        seed: of the town.
        packages: whose docstrings, where the source is made from them; none for all that are pinned. They may also
            follow its name: `pydocs:python,numpy`.

    Raises:
        WorkbookError: the source or kind is unknown, or something in it cannot be read.
    """
    if kind not in KINDS:
        raise WorkbookError(f"kind {kind!r} is unknown. Known: {', '.join(KINDS)}.")
    name, _, rest = source.partition(":")
    if name in OWN[kind]:
        chosen = tuple(packages) or tuple(filter(None, rest.split(",")))
        return _load_own(name, kind, people, town_bytes, seed, chosen)
    return _load_rows(source, kind, column, label, limit)


def _load_own(
    name: str, kind: str, people: int | None, town_bytes: int | None, seed: int, packages: tuple[str, ...]
) -> Corpus:
    """Loads what the workbook makes itself; see `load`."""
    if kind == "text" and name == "pydocs":
        from helpers.corpora.pydocs.corpus import load_docstrings

        return load_docstrings(packages)
    if kind == "text":
        from helpers.corpora.town.corpus import load_town

        if people is None or town_bytes is None:
            raise WorkbookError("town: say how large it is. Give people= and town_bytes=, as a profile has them.")
        return load_town(people, town_bytes, seed)
    from helpers.corpora.kinds.loading import load_rows

    return load_rows(_own_rows(name, people, seed, packages), _kind(name, kind))


def _own_rows(name: str, people: int | None, seed: int, packages: tuple[str, ...]) -> Input:
    """Returns the labelled texts or conversations of a name."""
    from helpers.corpora.rows import of_documents

    if name == "town":
        from helpers.corpora.town import demonstrations

        if people is None:
            raise WorkbookError("town: say how large it is. Give people=, as a profile has it.")
        key = [str(people), str(seed), code_version(demonstrations.__name__)]
        return of_documents(name, key, partial(demonstrations.conversations, people, seed))
    from helpers.corpora.pydocs import corpus, functions, tasks

    made: Callable[[Iterable[str]], Iterable[Labelled | Conversation]] = (
        functions.read_functions if name == functions.TASK else tasks.TASKS[name]
    )
    key = [*corpus.key_of(packages), code_version(made.__module__)]
    return of_documents(name, key, partial(made, packages))


def _load_rows(source: str, kind: str, column: str, label: str, limit: int | None) -> Corpus:
    """Loads the reader's own files or a data set of the Hub; see `load`."""
    from helpers.corpora.kinds.loading import load_rows
    from helpers.corpora.readers import folders, hub

    if source.startswith(hub.PREFIX):
        own_column = hub.parse(source).column
        if own_column and kind == "prompts":
            remedy = "Write hub:owner/name[:config][:split]"
            raise at(source, f"conversations are not in one column {own_column!r}", remedy)
        return load_rows(hub.open_hub(source, limit), _kind(source, kind, own_column or column, label))
    if not Path(source).expanduser().exists():
        known = ", ".join(OWN[kind])
        raise at(source, f"there is no such source of kind {kind}", f"Known are {known}, hub:owner/name, and paths")
    parser = _kind(source, kind, column, label)
    return load_rows(folders.open_files(source, parser.columns, parser.example), parser)


def _kind(source: str, kind: str, column: str = "text", label: str = "label") -> Kind:
    """Returns what makes documents of a kind from the rows of a source."""
    if kind == "labels":
        from helpers.corpora.kinds.labels import Labels

        return Labels(column, label, source)
    if kind == "prompts":
        from helpers.corpora.kinds.prompts import Prompts

        return Prompts()
    from helpers.corpora.kinds.texts import Texts

    return Texts(column)
