"""Two real tasks with labels, made from docstrings: one in which words suffice, and one in which they say nothing.

- `pydocs-packages`: from the first sentence of a docstring tell which of eight packages it documents. The names of the
  packages, and of the modules that hold the docstrings, are taken out.
- `pydocs-order`: is a sentence as it was written, or are the words between its first and its last shuffled? Each
  sentence occurs once, shuffled or not by a toss-up that does not look at it: so a bag of words knows nothing of the
  answer, whatever it learns.

Documents are those of `pydocs`, so all of a module are in one split; its validation and test splits together are the
test split here. Left out: sentences that are very short or very long, and what `labels` sets aside. Names inside a
compound with a hyphen, such as NumPy-style, stay; one sentence in a thousand has one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator

from helpers.corpora.pydocs import corpus
from helpers.corpora.rows import Labelled

CLASSES = ("python", "torch", "transformers", "sympy", "scipy", "pandas", "scikit-learn", "statsmodels")
"""The eight packages with most documents in the test split."""

NAMES = frozenset((*CLASSES, "cpython", "pytorch", "huggingface", "hugging", "numpy", "np", "pd", "sklearn", "scikit"))
"""What packages are called in running text, in lower case."""

MASKED_NAME = "X"
"""What replaces a name."""

WRITTEN, SHUFFLED = "as written", "shuffled"

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"'])")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[.-][A-Za-z_][A-Za-z0-9_]*)*")


def by_package(packages: Iterable[str] = ()) -> Iterator[Labelled]:
    """Yields the first sentence of each docstring of the packages, by default `CLASSES`, its package as the label."""
    packages = tuple(packages)
    for sentence, package, module, split in first_sentences(packages):
        if package in (packages or CLASSES) and 5 <= len(sentence.split()) <= 24:
            yield Labelled(without_names(sentence, module), package, module, split, f"{package}, {module}")


def by_order(packages: Iterable[str] = ()) -> Iterator[Labelled]:
    """Yields the first sentence of each docstring, as it was written or with the words inside it shuffled."""
    for sentence, _, module, split in first_sentences(packages):
        if not 8 <= len(sentence.split()) <= 20:
            continue
        draw = random.Random(sentence)  # the same sentence, the same fate, whatever is around it
        mixed = shuffle_inside(sentence, draw)
        if mixed != sentence:
            toss = draw.random() < 0.5
            yield Labelled(mixed if toss else sentence, (WRITTEN, SHUFFLED)[toss], module, split, module)


TASKS = {"pydocs-packages": by_package, "pydocs-order": by_order}
"""By the name under which they are loaded; each takes the packages to be read."""


def first_sentences(packages: Iterable[str]) -> Iterator[tuple[str, str, str, str]]:
    """Yields the first sentence of each document, its package, its module, and whether it is for `train` or `test`."""
    for name, part in corpus.load_docstrings(packages).splits.items():
        split = "train" if name == "train" else "test"
        for text, package, module in zip(part["text"], part["package"], part["group"], strict=True):
            yield first_sentence(text), package, module, split


def first_sentence(text: str) -> str:
    """Returns the first sentence of a docstring's prose: what a docstring begins with sums it up."""
    return _SENTENCE_END.split(text.partition("\n\n")[0])[0]


def without_names(text: str, module: str) -> str:
    """Puts `MASKED_NAME` in place of each name of a package, and of the text's own module or a part of its name."""
    names = NAMES | {part.strip("_") for part in module.lower().split(".")}

    def replaced(found: re.Match[str]) -> str:
        parts = {found[0].lower(), *(part.strip("_") for part in found[0].lower().split("."))}
        return MASKED_NAME if parts & names else found[0]

    return _NAME.sub(replaced, text)


def shuffle_inside(sentence: str, draw: random.Random) -> str:
    """Returns a sentence whose words are in random order, but for the first and the last one."""
    first, *inner, last = sentence.split()
    draw.shuffle(inner)
    return " ".join([first, *inner, last])
