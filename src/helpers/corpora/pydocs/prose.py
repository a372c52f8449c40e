"""Which part of a docstring is prose? Paragraphs of sentences, as opposed to code, tables and lists of parameters.

A docstring is read line by line. Blank lines and changes of indentation end a paragraph, so the description of a
parameter is apart from the line that names it in all three common styles (numpydoc, Google, Sphinx). A paragraph
is prose if it reads as sentences: it begins like one, ends like one, consists of words, and has the small words that
English cannot do without. A description of a parameter is held to the same test, whatever its section.

Left out on purpose: a full reStructuredText parser. docutils is slower by two orders of magnitude, stops at the
malformed markup that is common in real docstrings, and would not tell a sentence from a fragment either.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

BLOCK_KINDS = ("prose", "code", "tables", "parameters", "other")
"""What a block can be; `code` holds doctests and formulas too, `other` headings, signatures and fragments."""

FUNCTION_WORDS = frozenset(
    """a about after all also an and any are as at be because been before between both but by can cannot did do does
    each either else for from given had has have how if in instead into is it its may more most must no not of on
    one only or other otherwise over same should so some such than that the their them then there these they this
    those through to two under until up upon use used using was we were what when where whether which while who will
    with within without would you your""".split()  # noqa: SIM905
)

_ENTRY = re.compile(
    r"(?::(?:param|arg|raises?|returns?|return|type|rtype|key|var|ivar)\b[^:]*:"  # Sphinx
    r"|[*]{0,2}[\w.`]+ ?\([^()]*(?:\([^()]*\)[^()]*)*\) ?:)\s*"
)  # Google: name (type):
_NAMED = re.compile(r"[-*]? ?[*]{0,2}[\w.`\"']+(?:, [*]{0,2}[\w.`]+)* ?:(?:\s|$)")  # numpydoc: name : type
_SECTION = re.compile(r"[A-Z][a-z]+(?: [A-Za-z]+)?:$")  # Google: Args:
_BULLET = re.compile(r"\s*(?:[-*+•]|\d{1,2}[.)]|#\.)\s+(?=\S)")
_DIRECTIVE = re.compile(r"\.\. (?:([\w:-]+)::(.*)|\[|_|\|)")
_MARK = re.compile(r"```|~~~|>>>|In \[|\.\. (?:[\w:-]+::|\[|_|\|)")
_SPEAKING = re.compile(
    r"note|warning|tip|important|caution|attention|seealso|hint|admonition|topic|versionadded|versionchanged|deprecated"
)
_RULING = re.compile(r"([=~^\"'`#*+<>-])\1{2,}$")
_TABLE = re.compile(r"={2,}(?: +={2,})+$|-{3,}(?: +-{3,})+$|\+[-=+]{3,}\+?$|\|.*\|$")
_SENTENCE = re.compile(r"""[-*\d.()\s]*["'`(\[*$]*[A-Z`"'].*[.!?:]["'`)\]*]*$""", re.DOTALL)
_QUOTED = re.compile(r"`+[^`]*`+|\$[^$]*\$")
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
_ROLE = re.compile(r":[\w:+-]+:`~?!?([^`<]*?)\s*(?:<[^`>]*>)?`")
_FOOTNOTE = re.compile(r"(\[[\w#*]+\])_\b")
_LINK = re.compile(r"`([^`<]+?)\s*<[^`>]+>`__?")


class Block(NamedTuple):
    """A stretch of a docstring, of one of `BLOCK_KINDS`; prose is one line, without hard wraps, its markup simple."""

    kind: str
    text: str


def reads_as_sentences(text: str) -> bool:
    """Tells whether a paragraph, without its line breaks, is made of English sentences.

    It must begin with a capital (or a quoted name), end with a full stop, question mark, exclamation mark or colon,
    have at least three words, consist of letters and spaces to three quarters outside quoted names, and have one
    function word in every eight words.
    """
    if not _SENTENCE.match(text):
        return False
    bare = _QUOTED.sub("X", text)
    words = _WORD.findall(bare)
    letters = sum(map(len, words)) + bare.count(" ")
    small = sum(word.lower() in FUNCTION_WORDS for word in words)
    return len(words) >= 3 and letters >= 0.75 * len(bare) and small * 8 >= len(words)


def simplify(text: str) -> str:
    """Reduces spaces to one, and the commonest markup: a role or link to its words, "``" to "`", `[1]_` to `[1]`."""
    text = " ".join(text.split())
    if "`" in text:
        text = _LINK.sub(r"\1", _ROLE.sub(r"`\1`", text)).replace("``", "`")
    return _FOOTNOTE.sub(r"\1", text) if "]_" in text else text


def split_blocks(docstring: str) -> list[Block]:
    """Splits a docstring, dedented as `inspect.cleandoc` gives it, into its blocks, in order.

    Nothing but blank space is lost (rulings and empty directives count as `other`).
    """
    return _Reader(docstring.splitlines()).read()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


@dataclass
class _Reader:
    """One pass over the lines: `at` is the line to be read next, `open` the paragraph being gathered."""

    lines: list[str]
    at: int = 0
    blocks: list[Block] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    column: int | None = 0  # indentation of the open paragraph; None: the next line decides it

    def read(self) -> list[Block]:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            stripped = line.strip()
            if not stripped:
                self.at += 1
                self.close()
            elif _RULING.match(stripped) and len(self.open) == 1:  # the line above was a heading
                self.open = []
                self.at -= 1
                self.take("other", self.at + 2)
            elif not (_MARK.match(stripped) or _TABLE.match(stripped) or _RULING.match(stripped)):
                self.line(line, stripped)
            elif self.open:
                self.close()  # and look at the line again: it may belong to code that the paragraph announced
            else:
                self.marked(stripped)
        self.close()
        return self.blocks

    def close(self) -> None:
        """Ends the open paragraph; one that ends with `::` announces code, which is taken with it."""
        if not self.open:
            return
        text, self.open = " ".join(self.open), []
        announces = text.endswith("::")
        text = simplify(text.removesuffix("::") + ":" if announces else text)
        kind = "prose" if reads_as_sentences(text) else "parameters" if _NAMED.match(text) else "other"
        self.blocks.append(Block(kind, text))
        if announces:
            self.take("code", self.body_end(self.column or 0, self.at))

    def take(self, kind: str, end: int) -> None:
        """Makes one block of the lines up to `end`."""
        if text := "\n".join(self.lines[self.at : end]).rstrip():
            self.blocks.append(Block(kind, text))
        self.at = end

    def line(self, line: str, stripped: str) -> None:
        """Adds a line of text to the open paragraph, or closes that if the line begins another."""
        bullet = _BULLET.match(line)
        entry = _ENTRY.match(stripped) or _SECTION.match(stripped)
        column = bullet.end() if bullet else _indent(line)
        if self.open and (entry or bullet or (self.column is not None and column != self.column)):
            self.close()
            return
        if entry:
            self.blocks.append(Block("parameters", entry.group().rstrip()))
            stripped = stripped[entry.end() :]
        self.column = None if entry else column
        if stripped:
            self.open.append(stripped)
        self.at += 1

    def marked(self, stripped: str) -> None:
        """Takes a block that begins with a mark. The words of a note or warning are read on as text."""
        directive = _DIRECTIVE.match(stripped)
        if stripped.startswith(("```", "~~~")):
            closing = self.first(self.at + 1, lambda line: line.strip().startswith(stripped[:3]))
            self.take("code", closing + 1)
        elif stripped.startswith((">>>", "In [")):
            self.take("code", self.blank_after(self.at))
        elif _TABLE.match(stripped):
            self.take("tables", self.table_end())
        elif directive and not _SPEAKING.fullmatch(directive[1] or ""):
            body_end = self.body_end(_indent(self.lines[self.at]), self.at + 1)
            self.take("code" if directive[1] else "other", body_end)  # references and link targets have no name
        else:
            self.take("other", self.at + 1)

    def first(self, start: int, ends: Callable[[str], bool]) -> int:
        """Returns the first line from `start` on at which a block ends; the number of lines if there is none."""
        return next((at for at in range(start, len(self.lines)) if ends(self.lines[at])), len(self.lines))

    def blank_after(self, start: int) -> int:
        """Returns the first blank line from `start` on."""
        return self.first(start, lambda line: not line.strip())

    def table_end(self) -> int:
        """Returns the first blank line that follows a ruling or row (rows of a simple table may be apart)."""
        end = self.blank_after(self.at)
        while end < len(self.lines) and not _TABLE.match(self.lines[end - 1].strip()):
            following = self.blank_after(end + 1)
            if not any(_TABLE.match(line.strip()) for line in self.lines[end:following]):
                break
            end = following
        return end

    def body_end(self, indent: int, start: int) -> int:
        """Returns the first line from `start` on that is neither blank nor indented by more than `indent`."""
        return self.first(start, lambda line: bool(line.strip()) and _indent(line) <= indent)
