"""What does this function do? Questions with real answers: the code of installed packages, and what its authors say.

The user shows a function: its signature and the beginning of its body, without docstring, comments and decorators. The
assistant answers with the first sentence of its docstring. Sources are read with `ast`, never imported.

The answers are those of `pydocs`, with its split by module; its validation and test splits together are the test split
here. What a base model has read: in pretraining on `pydocs`, the docstrings of the modules of the train split, but
never the code under them. So in training it learns which of the sentences that it knows belongs to which code. The
docstrings of test modules it has not read, and no answer of the test split is one of train, word for word; one in two
hundred stands inside some other docstring of train. A model of the Hub may have read all of them.

Modules come in the order of a hash of their name, and of each at most `PER_MODULE` functions are taken, by a hash too,
until a package has its share (`MOST`): no large package outweighs the others, and no large module its package. Reading
takes half a minute on one core.

Left out: functions whose sentence is very short or very long, speaks of other places, or has been given before; and
those whose signature is long even without annotations and defaults.
"""

from __future__ import annotations

import ast
import copy
import inspect
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from helpers.corpora.corpus import place_of
from helpers.corpora.pydocs import docstrings, prose
from helpers.corpora.pydocs.tasks import first_sentence
from helpers.corpora.rows import Conversation, Message
from helpers.progress import Progress

TASK = "pydocs-functions"

ASKED = (
    "What does this function do?\n\n{source}",
    "{source}\n\nSay in one sentence what this does.",
    "Here is some Python. What is it for?\n\n{source}",
    "Write the first sentence of a docstring for this function.\n\n{source}",
)
"""How the question is put, in both splits."""

ASKED_IN_TEST = (
    "{source}\n\nI do not understand this code. What does it do?",
    "Sum up this function in a sentence:\n\n{source}",
)
"""How it is put in the test split only, a third of the time."""

MOST = {"train": 1100, "test": 60}
"""Conversations from one package, at most."""

PER_MODULE = 8
"""Conversations from one module, at most."""

LONGEST = 400
"""Characters of source that are shown, at most, and `CUT`."""

LONGEST_SIGNATURE = 160
"""Characters of a signature from which its annotations and defaults are left out."""

CUT = "    ..."
"""Stands where a body goes on, or where there is none."""

_WORDS = range(4, 25)
_POINTERS = ("See ", "Refer ", "Alias ", "Deprecated ", "Overrid")
"""How sentences begin that do not say what a function does."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_HAVE_BODIES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.For, ast.While, ast.With, ast.Try)


def conversations() -> Iterator[Conversation]:
    """Yields what is asked and answered, package by package in the order of `docstrings.PACKAGES`."""
    documents = _documents()
    given: set[str] = set()
    with Progress("Reading functions", len(docstrings.PACKAGES), "packages") as progress:
        for package in docstrings.PACKAGES:
            taken: Counter[str] = Counter()
            for module, path in _modules(package, documents):
                split, sentences = documents[module]
                if taken[split] < MOST[split]:
                    found = _of_module(module, path, sentences - given)[: MOST[split] - taken[split]]
                    taken[split] += len(found)
                    given.update(sentence for _, sentence, _ in found)
                    for place, sentence, source in found:
                        messages = (Message("user", _asked(split, sentence, source)), Message("assistant", sentence))
                        yield Conversation(messages, module, split, f"{package}, {place}", TASK)
            progress.advance()


def key() -> list[str]:
    """Returns what the conversations depend on, besides this module: the documents, and the versions of the code."""
    return [
        docstrings.load().fingerprint,
        *(path.name for path in docstrings.read_packages(docstrings.PACKAGES).values()),
    ]


def shown(function: _Function) -> str | None:
    """Returns what is shown of a function: signature and beginning of its body; None if the signature is too long.

    Args:
        function: as `ast` has parsed it; strings that stand alone are removed from it.
    """
    signature = _signature(function)
    if len(signature) > LONGEST_SIGNATURE:
        return None
    _remove_strings(function)
    lines = [signature]
    for statement in function.body:
        for line in filter(None, ast.unparse(statement).splitlines()):
            if sum(map(len, lines)) + len(lines) + len(line) + 4 > LONGEST:
                return "\n".join([*lines, CUT])
            lines.append(f"    {line}")
    return "\n".join(lines if len(lines) > 1 else [signature, CUT])


def _documents() -> dict[str, tuple[str, set[str]]]:
    """Returns by module its split and the first sentences of its documents, those fit for an answer."""
    found: dict[str, tuple[str, set[str]]] = {}
    for split, part in docstrings.load().splits.items():
        side = "train" if split == "train" else "test"
        for text, module in zip(part["text"], part["group"], strict=True):
            sentence = first_sentence(text)
            if len(sentence.split()) in _WORDS and sentence.endswith(".") and not sentence.startswith(_POINTERS):
                found.setdefault(module, (side, set()))[1].add(sentence)
    return found


def _modules(package: str, documents: dict[str, tuple[str, set[str]]]) -> list[tuple[str, str]]:
    """Returns names and paths of the modules of a package that have documents, in the order of their hashes."""
    found: list[tuple[str, str]] = []
    for path, label in docstrings.list_files(package):
        module = label.removesuffix(".py").removesuffix("/__init__").replace("/", ".")  # as pydocs names it
        if module in documents:
            found.append((module, path))
    return sorted(found, key=lambda pair: place_of(pair[0]))


def _of_module(module: str, path: str, sentences: set[str]) -> list[tuple[str, str, str]]:
    """Returns place, sentence and source of the functions of a module that begin with one of the sentences."""
    with warnings.catch_warnings(action="ignore"):  # invalid escapes in other people's strings
        tree = ast.parse(Path(path).read_bytes())
    by_sentence: dict[str, _Function] = {}
    for function in _defined(tree):
        blocks = prose.split_blocks(inspect.cleandoc(ast.get_docstring(function, clean=False) or ""))
        if blocks and (sentence := first_sentence(blocks[0].text)) in sentences:
            by_sentence.setdefault(sentence, function)
    found: list[tuple[str, str, str]] = []
    for sentence in sorted(by_sentence, key=lambda sentence: place_of(f"{module}: {sentence}")):
        function = by_sentence[sentence]
        if len(found) < PER_MODULE and (source := shown(function)):
            found.append((f"{module}:{function.lineno}", sentence, source))
    return found


def _defined(node: ast.AST) -> Iterator[_Function]:
    """Yields the functions in a module, class, function or other statement, outer ones first; skips expressions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Function):
            yield child
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _defined(child)


def _signature(function: _Function) -> str:
    """Returns the line of a function's `def`, without annotations and defaults if it would be too long with them."""
    bare = copy.copy(function)
    bare.decorator_list, bare.body = [], [ast.Pass()]
    line = ast.unparse(bare).partition("\n")[0]
    if len(line) > LONGEST_SIGNATURE:
        bare.args, bare.returns = _names_only(function.args), None
        line = ast.unparse(bare).partition("\n")[0]
    return line


def _names_only(args: ast.arguments) -> ast.arguments:
    """Returns parameters without annotations and defaults."""

    def named(parameters: list[ast.arg]) -> list[ast.arg]:
        return [ast.arg(parameter.arg) for parameter in parameters]

    return ast.arguments(
        posonlyargs=named(args.posonlyargs),
        args=named(args.args),
        vararg=args.vararg and ast.arg(args.vararg.arg),
        kwonlyargs=named(args.kwonlyargs),
        kw_defaults=[None] * len(args.kwonlyargs),
        kwarg=args.kwarg and ast.arg(args.kwarg.arg),
        defaults=[],
    )


def _remove_strings(function: _Function) -> None:
    """Takes the docstrings out of a function and of all inside it, and other strings that stand alone."""
    for node in ast.walk(function):
        if isinstance(node, _HAVE_BODIES):
            node.body = [statement for statement in node.body if not _is_string(statement)]
            if not node.body and node is not function:
                node.body = [ast.Pass()]


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _asked(split: str, sentence: str, source: str) -> str:
    """Puts the question in one of the ways of the split: the same sentence, the same way."""
    ways = ASKED if split == "train" else ASKED + ASKED_IN_TEST
    return ways[int(place_of(sentence) * len(ways))].format(source=source)
