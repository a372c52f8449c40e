"""What does it read? One way in for every source, one report, one result.

A source is a name (`pydocs`, `town`), a path to the reader's own file or folder, or `hub:owner/name`. Whatever it is,
`load` gives a `Corpus`: documents in splits, memory-mapped, with a report of what was read, kept and removed. This
module alone knows all sources and kinds; none of them knows another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from helpers.corpora.corpus import Corpus
from helpers.corpora.kinds.labels import Labels
from helpers.corpora.kinds.loading import Kind, load_rows
from helpers.corpora.kinds.prompts import Prompts
from helpers.corpora.kinds.texts import Texts, too_little
from helpers.corpora.pydocs import corpus as docstrings
from helpers.corpora.pydocs import functions, tasks
from helpers.corpora.readers import folders, hub
from helpers.corpora.report import Report
from helpers.corpora.rows import Conversation, Labelled, of_documents
from helpers.corpora.town import demonstrations
from helpers.corpora.town.chronicle import load_town
from helpers.files import WorkbookError, at
from helpers.imports import code_version

__all__ = ["KINDS", "Corpus", "Report", "load"]

OWN = {
    "text": ("pydocs", "town"),
    "labels": ("pydocs-packages", "pydocs-order"),
    "prompts": ("town", "pydocs-functions"),
}
"""The workbook's own sources of each kind of document."""

KINDS = tuple(OWN)


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
        label: which one holds the label.
        limit: how many rows to take at most of each split of the Hub; None for all. Many data sets are sorted by label.
        town_bytes: bytes of the training split of the town's chronicle.
        packages: whose docstrings, where the source is made from them; none for all that are pinned. They may also
            follow its name: `pydocs:python,numpy`.

    Raises:
        WorkbookError: the source or kind is unknown, or something in it cannot be read.
    """
    if kind not in KINDS:
        raise WorkbookError(f"kind {kind!r} is unknown. Known: {', '.join(KINDS)}.")
    name, _, rest = source.partition(":")
    if name not in OWN[kind]:
        return _load_rows(source, kind, column, label, limit)
    if name == "town":
        return _load_town(kind, people, town_bytes, seed)
    packages = tuple(packages) or tuple(filter(None, rest.split(",")))
    if kind == "text":
        return docstrings.load_docstrings(packages)
    makers: dict[str, Callable[[Iterable[str]], Iterable[Labelled | Conversation]]] = {
        functions.TASK: functions.read_functions,
        **tasks.TASKS,
    }
    key = [*docstrings.key_of(packages), code_version(makers[name].__module__)]
    return load_rows(of_documents(name, key, partial(makers[name], packages)), _kind(name, kind))


def _load_town(kind: str, people: int | None, town_bytes: int | None, seed: int) -> Corpus:
    if people is not None and kind == "prompts":
        key = [str(people), str(seed), code_version(demonstrations.__name__)]
        return load_rows(of_documents("town", key, partial(demonstrations.conversations, people, seed)), Prompts())
    if people is not None and town_bytes is not None:
        return load_town(people, town_bytes, seed)
    raise WorkbookError(
        "town: say how large it is. Give people=, and for a chronicle town_bytes=, as a profile has them."
    )


def _load_rows(source: str, kind: str, column: str, label: str, limit: int | None) -> Corpus:
    """Loads the reader's own files or a data set of the Hub; see `load`."""
    if source.startswith(hub.PREFIX):
        own_column = hub.parse(source).column
        if own_column and kind == "prompts":
            remedy = "Write hub:owner/name[:config][:split]"
            raise at(source, f"conversations are not in one column {own_column!r}", remedy)
        return _told(load_rows(hub.open_hub(source, limit), _kind(source, kind, own_column or column, label)))
    if not (source.strip() and Path(source).expanduser().exists()):  # an empty path is the current folder
        known = ", ".join(OWN[kind])
        raise at(source, f"there is no such source of kind {kind}", f"Known are {known}, hub:owner/name, and paths")
    parser = _kind(source, kind, column, label)
    return _told(load_rows(folders.open_files(source, parser.columns, parser.example), parser))


def _told(corpus: Corpus) -> Corpus:
    """Adds to the report of a reader's own text whether it is enough."""
    if corpus.kind == "text" and (reason := too_little(corpus)):
        corpus.report.problems.append(reason)
    return corpus


def _kind(source: str, kind: str, column: str = "text", label: str = "label") -> Kind:
    """Returns what makes documents of a kind from the rows of a source."""
    if kind == "labels":
        return Labels(column, label, source)
    return Prompts() if kind == "prompts" else Texts(column)
