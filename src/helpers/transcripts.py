"""How is a conversation shown? As a whole, turn by turn, with who speaks in words; nothing in it is taken for markup.

In a notebook and on a chapter's page as HTML, in a terminal as text. The page's style sheet knows the classes;
JupyterLab does not, and shows the same lists in its own style.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import indent

# For JupyterLab; a chapter's page is cleaned of such, and has its own style.
MUTED = 'style="font-size: 0.85em; opacity: 0.75"'


@dataclass(frozen=True)
class Transcript:
    """One conversation, its title above it, and below it a note, such as `right` or `wrong, expected: the miller`."""

    messages: Sequence[Mapping[str, str]]
    note: str = ""
    title: str = ""

    def __str__(self) -> str:
        turns = [
            f"{message['role']}:\n{indent(message['content'], '  ', lambda line: True)}" for message in self.messages
        ]
        note = f"({self.note})" if self.note else ""
        return printable("\n".join(part for part in (self.title, *turns, note) if part))

    def _repr_html_(self) -> str:
        """Shows it in a notebook and on its page; line breaks are kept in both."""
        roles = {"system", "user", "assistant"}  # those of the templates' own invention have no class of their own
        turns = "".join(
            f'<div class="{role if (role := message["role"]) in roles else "other"}"><dt {MUTED}>{escape(role)}</dt>'
            f'<dd style="white-space: pre-wrap">{escape(message["content"])}</dd></div>'
            for message in self.messages
        )
        title = f'<p class="small" {MUTED}><strong>{escape(self.title)}</strong></p>' if self.title else ""
        note = f'<p class="small" {MUTED}>{escape(self.note)}</p>' if self.note else ""
        return f'<section class="transcript">{title}<dl>{turns}</dl>{note}</section>'


class Transcripts(list[Transcript]):
    """Several conversations, shown one below the other."""

    def __str__(self) -> str:
        return "\n\n".join(map(str, self))

    def _repr_html_(self) -> str:
        return "".join(conversation._repr_html_() for conversation in self)


def printable(text: str) -> str:
    """Returns a text without the control characters that a terminal would obey: all but tab and line feed."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", text)
