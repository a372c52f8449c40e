"""What is a row? A text with its label, a conversation: what readers give and training takes."""

from __future__ import annotations

from typing import NamedTuple

ROLES = ("system", "user", "assistant")


class Labelled(NamedTuple):
    """A text with its label.

    Attributes:
        text: the text.
        label: what it is.
        group: what was sampled (module, row): the unit that a bootstrap draws.
        split: `train` or `test`; None where a hash of the group is to decide.
        place: where it stands, for the report, such as `a.csv:12`.
    """

    text: str
    label: str
    group: str
    split: str | None
    place: str


class Message(NamedTuple):
    """One turn of a conversation.

    Attributes:
        role: one of `ROLES`.
        content: what is said.
    """

    role: str
    content: str


class Conversation(NamedTuple):
    """Messages of which the last is an assistant's: the answer that is demonstrated.

    Attributes:
        messages: in order; at most one of a system, at the beginning; then user and assistant in turn.
        group: what was sampled (person, template, module, row): the unit that a bootstrap draws.
        split: `train`, `validation` or `test`; None where a hash of the group is to decide.
        place: where it stands, for the report, such as `a.jsonl:12`.
        task: what kind of task it is, where the source tells several apart.
        check: how an answer is to be judged, as JSON of `helpers.corpora.kinds.rules`; empty for word by word.
    """

    messages: tuple[Message, ...]
    group: str
    split: str | None
    place: str
    task: str = ""
    check: str = ""
