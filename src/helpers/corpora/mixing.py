"""Training documents drawn from several corpora by weight, in one fixed order.

Left out: schedules that change the weights while training goes on; a chapter that studies them mixes for each stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers import files
from helpers.corpora.corpus import Corpus
from helpers.files import WorkbookError

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset


def mix(corpora: dict[str, Corpus], weights: dict[str, float], wanted_bytes: int, seed: int) -> Dataset:
    """Draws documents from the training splits until each source has its share of the bytes.

    Each source is read in a shuffled order, then, if it is too small, again in another one. Then all are shuffled
    together. The last document of each source is taken whole, so shares are met to within a document.

    Args:
        weights: of each corpus, in proportion to which bytes are shared out; those at 0 are left out.
        wanted_bytes: UTF-8 bytes in all.

    Returns:
        Documents to train on, in order, with the columns `text`, `group` and `source`.

    Raises:
        WorkbookError: the weights do not fit the corpora.
    """
    import numpy as np
    import pyarrow.compute as pc
    from datasets import concatenate_datasets

    if set(weights) != set(corpora) or min(weights.values()) < 0 or not sum(weights.values()):
        raise WorkbookError(f"mixing {', '.join(corpora)}: give each a weight, none below 0, one above. Got {weights}.")
    share = wanted_bytes / sum(weights.values())
    parts, picks, offset = [], [], 0
    for name in filter(weights.get, corpora):
        part = corpora[name].splits["train"].select_columns(["text", "group"])
        lengths = pc.binary_length(part.data.column("text")).to_numpy()
        rng = np.random.default_rng([seed, int(files.fingerprint([name]), 16)])
        parts.append(part.add_column("source", [name] * len(part)))
        picks.append(_draw(lengths, weights[name] * share, rng) + offset)
        offset += len(part)
    order = np.random.default_rng(seed).permutation(np.concatenate(picks))
    return concatenate_datasets(parts).select(order)


def _draw(lengths: np.ndarray, wanted: float, rng: np.random.Generator) -> np.ndarray:
    """Returns positions of documents, shuffled anew for each epoch, up to the first that completes the bytes wanted."""
    import numpy as np

    epochs = int(wanted // lengths.sum()) + 1
    order = np.concatenate([rng.permutation(len(lengths)) for _ in range(epochs)])
    return order[: np.searchsorted(np.cumsum(lengths[order]), wanted) + 1]
