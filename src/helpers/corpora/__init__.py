"""What does it read? One way in for every source, one report, one result.

A source is a name (`pydocs`, `town`), a path to the reader's own file or folder, or `hub:owner/name`. Whatever it is,
`load` gives a `Corpus`: documents in splits, memory-mapped, with a report of what was read, kept and removed.
"""

from __future__ import annotations

from helpers.corpora.corpus import Corpus
from helpers.corpora.report import Report
from helpers.files import WorkbookError

__all__ = ["KINDS", "Corpus", "Report", "load"]

KINDS = ("text", "labels", "prompts")
"""The kinds of document there are; chapters that need another (comparisons) add it here."""


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
) -> Corpus:
    """Loads a corpus, from the cache where it was loaded before.

    Args:
        source: one of

            - `pydocs`, or `pydocs:python,numpy` for the packages named (`helpers.corpora.pydocs`);
            - `town`, written from `people`, `town_bytes` and `seed` (`helpers.corpora.town`);
            - a path to a file or a folder (`helpers.corpora.readers.folders`);
            - `hub:owner/name[:config][:split][:column]`, the data set's text (`helpers.corpora.readers.hub`);
            - for labels `pydocs-packages` or `pydocs-order` in place of `pydocs` and `town`;
            - for prompts `pydocs-functions` in place of `pydocs` (`helpers.corpora.kinds.prompts`).
        kind: what a document is: `text`, `labels` for texts that each have one, or `prompts` for conversations.
        column: which column or key of a table, a JSON object or a data set holds the text.
        label: which one holds the label, if kind is `labels`.
        limit: how many documents to take at most from a data set of the Hub; None for all.
        people: inhabitants of the town.
        town_bytes: bytes of the training split of the town's chronicle.
        seed: of the town.

    Returns:
        The corpus.

    Raises:
        WorkbookError: the source or kind is unknown, or something in it cannot be read.
    """
    if kind not in KINDS:
        raise WorkbookError(f"kind {kind!r} is unknown. Known: {', '.join(KINDS)}.")
    if kind == "labels":
        from helpers.corpora.kinds import labels

        return labels.load(source, column, label, limit)
    if kind == "prompts":
        from helpers.corpora.kinds import prompts

        return prompts.load(source, limit, people, seed)
    return _load_text(source, column, limit, people, town_bytes, seed)


def _load_text(
    source: str, column: str, limit: int | None, people: int | None, town_bytes: int | None, seed: int
) -> Corpus:
    """Loads texts without labels; see `load`."""
    name, _, rest = source.partition(":")
    if name == "pydocs":
        from helpers.corpora.pydocs.corpus import load_docstrings

        return load_docstrings([package for package in rest.split(",") if package])
    if name == "town":
        if people is None or town_bytes is None:
            raise WorkbookError("town: say how large it is. Give people= and town_bytes=, as a profile has them.")
        from helpers.corpora.town.corpus import load_town

        return load_town(people, town_bytes, seed)
    if name == "hub":
        from helpers.corpora.readers import hub

        return hub.load(rest, column, limit)
    from helpers.corpora.readers import folders

    return folders.load(source, column)
