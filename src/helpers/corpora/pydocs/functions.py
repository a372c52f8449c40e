"""What does this function do? Questions with real answers: the code of installed packages, and what its authors say.

The user shows a function: its signature and the beginning of its body, without docstring, comments and decorators. The
assistant answers with the first sentence of its docstring. Sources are read with `ast`, never imported.

The answers are those of `pydocs`, with its split by module; its validation and test splits together are the test split
here. In pretraining on `pydocs` a base model has read the docstrings of the modules of train, but never the code under
them, nor the docstrings of test modules; no answer of the test split is one of train, word for word. One in two hundred
is found inside some other docstring of train. A model of the Hub may have read all of them.

Modules come in the order of a hash of their name, and of each at most `PER_MODULE` functions are taken, by a hash too,
until a package has its share (`MOST`): no large package outweighs the others, and no large module its package.
Left out: functions whose sentence is very short or very long, speaks of other places, or has been given before; and
those whose signature is long even without annotations and defaults.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from helpers.corpora.corpus import place_of
from helpers.corpora.pydocs import corpus, prose
from helpers.corpora.pydocs.docstrings import SourceFile, collector_off, definitions, list_files, parse_source
from helpers.corpora.pydocs.tasks import first_sentence, first_sentences
from helpers.corpora.rows import Conversation, Message
from helpers.imports import data_of
from helpers.progress import Progress

TASK = "pydocs-functions"

WORDINGS = data_of(__name__)
"""How the question is worded: what is under `test` in that split only, a third of the time."""

MOST, PER_MODULE = {"train": 1100, "test": 60}, 8
"""Conversations from one package and from one module, at most."""

LONGEST_CODE, LONGEST_SIGNATURE = 400, 160
"""Characters of source that are shown, at most, and of a signature above which it loses annotations and defaults."""

CUT = "    ..."
"""Shown where a body goes on, or where there is none."""

_WORDS = range(4, 25)
_POINTERS = ("See ", "Refer ", "Alias ", "Deprecated ", "Overrid")
"""How sentences begin that do not say what a function does."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_HAVE_BODIES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.For, ast.While, ast.With, ast.Try)


def read_functions(packages: Iterable[str] = ()) -> Iterator[Conversation]:
    """Yields what is asked and answered, package by package; for no packages, all of `corpus.PACKAGES`."""
    wanted = corpus.chosen(packages)
    answers = _answers(wanted)
    given: set[str] = set()
    with Progress("Reading functions", len(wanted), "packages") as progress:
        for package in wanted:
            taken: Counter[str] = Counter()
            sources = [source for source in list_files(package) if source.module in answers]
            for source in sorted(sources, key=lambda source: place_of(source.module)):
                split, sentences = answers[source.module]
                if taken[split] < MOST[split]:
                    found = _of_module(source, sentences - given)[: MOST[split] - taken[split]]
                    taken[split] += len(found)
                    given.update(sentence for _, sentence, _ in found)
                    ways = WORDINGS["train"] + (WORDINGS["test"] if split == "test" else [])
                    for place, sentence, code in found:
                        asked = ways[int(place_of(sentence) * len(ways))].format(source=code)
                        messages = (Message("user", asked), Message("assistant", sentence))
                        yield Conversation(messages, source.module, split, f"{package}, {place}", TASK)
            progress.advance()


def shown(function: _Function) -> str | None:
    """Returns what is shown of a function: signature and beginning of its body; None if the signature is too long.

    Strings that are statements of their own, such as docstrings, are removed from the function.
    """
    signature = _signature(function)
    if len(signature) > LONGEST_SIGNATURE:
        return None
    _remove_strings(function)
    lines = [signature]
    for statement in function.body:
        for line in filter(None, ast.unparse(statement).splitlines()):
            if sum(map(len, lines)) + len(lines) + len(line) + 4 > LONGEST_CODE:
                return "\n".join([*lines, CUT])
            lines.append(f"    {line}")
    return "\n".join(lines if len(lines) > 1 else [signature, CUT])


def _answers(packages: Iterable[str]) -> dict[str, tuple[str, set[str]]]:
    """Returns by module its split and the first sentences of its documents, those fit for an answer."""
    found: dict[str, tuple[str, set[str]]] = {}
    for sentence, _, module, split in first_sentences(packages):
        if len(sentence.split()) in _WORDS and sentence.endswith(".") and not sentence.startswith(_POINTERS):
            found.setdefault(module, (split, set()))[1].add(sentence)
    return found


@collector_off()
def _of_module(source: SourceFile, sentences: set[str]) -> list[tuple[str, str, str]]:
    """Returns place, sentence and code of the functions of a module that begin with one of the sentences."""
    by_sentence: dict[str, _Function] = {}
    for _, node in definitions(parse_source(Path(source.path).read_bytes())):
        if isinstance(node, _Function) and (text := ast.get_docstring(node)):
            blocks = prose.split_blocks(text)
            if blocks and (sentence := first_sentence(blocks[0].text)) in sentences:
                by_sentence.setdefault(sentence, node)
    found: list[tuple[str, str, str]] = []
    for sentence in sorted(by_sentence, key=lambda sentence: place_of(f"{source.module}: {sentence}")):
        function = by_sentence[sentence]
        if len(found) < PER_MODULE and (code := shown(function)):
            found.append((f"{source.module}:{function.lineno}", sentence, code))
    return found


def _signature(function: _Function) -> str:
    """Returns the line of a function's `def`, without annotations and defaults if it would be too long with them."""
    bare = copy.copy(function)
    bare.decorator_list, bare.body = [], [ast.Pass()]
    line = ast.unparse(bare).partition("\n")[0]
    if len(line) > LONGEST_SIGNATURE:
        bare.args, bare.returns = copy.deepcopy(function.args), None
        bare.args.defaults, bare.args.kw_defaults = [], [None] * len(bare.args.kwonlyargs)
        for parameter in ast.walk(bare.args):
            if isinstance(parameter, ast.arg):
                parameter.annotation = None
        line = ast.unparse(bare).partition("\n")[0]
    return line


def _remove_strings(function: _Function) -> None:
    """Takes the docstrings out of a function and of all inside it, and other strings that are statements."""
    for node in ast.walk(function):
        if isinstance(node, _HAVE_BODIES):
            node.body = [statement for statement in node.body if not _is_string(statement)]
            if not node.body and node is not function:
                node.body = [ast.Pass()]


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
