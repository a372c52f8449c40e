"""How are conversations written down? The layouts in use, as data, and one way to read them all.

A row holds a whole conversation in one of the columns `MESSAGES`; or what is asked in one of `ASKED` and what is
answered in one of `ANSWERED`, to which `SYSTEM` and `HISTORIES` may be added; or, failing these, a conversation in one
of `PERHAPS`. Names of columns and of roles are told apart neither by case nor by the blanks around them.

What is altered on the way, and what of a row is not used, is noted, so that nothing is lost unsaid.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from helpers.corpora.report import shorten
from helpers.corpora.rows import Message, Unfit

MESSAGES = ("messages", "conversations", "conversation", "dialog", "dialogue", "chat", "contents")
"""Columns of a whole conversation: a list of messages, or the same as JSON or Python text."""

PERHAPS = ("turns", "data", "items")
"""Columns that hold one in some data sets, and anything in others: looked at where no other column will do."""

ASKED: Mapping[str, tuple[str, ...]] = {
    "prompt": (),
    "instruction": ("input", "context"),
    "question": ("context",),
    "questions": ("context",),
    "query": (),
    "problem": (),
    "input": (),
    "inputs": (),
    "input_text": (),
    "text_input": (),
    "user": (),
    "human": (),
    "request": (),
    "message": (),
}
"""Columns of what is asked, each with those that it is known to go with: their text follows after a blank line."""

ANSWERED = ("completion", "response", "output", "output_text", "answer", "answers", "solution", "reply", "target",
            "targets", "assistant", "bot", "chatbot", "gpt")  # fmt: skip
"""Columns of what is answered."""

SYSTEM = ("system", "system_prompt", "system_message", "system_instruction", "systeminstruction")
HISTORIES = ("history", "chat_history")

LONGEST_LITERAL = 1 << 20
"""Characters up to which a text is read as a Python literal, which takes a hundred times its memory."""

ACCEPTED = (
    f"Accepted are a list of messages in {', '.join((*MESSAGES, *PERHAPS))}; or what is asked in {', '.join(ASKED)}, "
    f"and the answer in {', '.join(ANSWERED)}"
)

_A_MESSAGE = (
    "one message a row does not say which belong together",
    "Write those of a conversation into one row, as a list messages",
)
REFUSED: Mapping[tuple[str, ...], tuple[str, str]] = {
    ("chosen", "rejected"): (
        "comparisons of two answers are no demonstrations",
        "To learn from the better ones, rename chosen to completion, or to messages if it is a whole conversation",
    ),
    ("mapping",): (
        "this export of a chat program keeps messages by their ids",
        "Write each conversation as a list messages of objects with role and content",
    ),
    ("role", "content"): _A_MESSAGE,
    ("from", "value"): _A_MESSAGE,
    ("text",): (
        "one text does not say what is asked and what is answered",
        "Divide it into prompt and completion; as plain text, read it with --kind text",
    ),
}
"""Layouts that hold no conversation, by columns, with what is wrong and what to do."""

SPEAKER, SAID = ("role", "from", "speaker", "author"), ("content", "value", "text", "message", "parts")
"""What a message calls its role and its content."""

ROLE_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter", "customer"), "user"),
    **dict.fromkeys(("assistant", "ai", "bot", "chatbot", "gpt", "chatgpt", "model", "agent"), "assistant"),
}

TOOL_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("tool", "function", "observation", "ipython", "tool_response", "function_response"), "user"),
    **dict.fromkeys(("tool_call", "function_call"), "assistant"),
}
"""Roles of the use of tools, and whose words they are taken for."""

CALLS = ("tool_calls", "function_call")
REASONING = ("reasoning", "reasoning_content", "thinking", "redacted_thinking")

MEANT = {
    "context",
    *HISTORIES,
    *REASONING,
    *CALLS,
    "tools",
    "functions",
    "images",
    "choices",
    "options",
}
"""Columns that belong to what a model is to read or to say: a warning where they are not used."""


class Note(NamedTuple):
    """What was altered in a row, or not used of it; what to do about it; and whether that is a warning."""

    what: str
    remedy: str
    warns: bool = False


AS_TEXT = Note("numbers, true or false taken as text", "Nothing, if they are to be read as they stand")
GREETING = Note("an assistant began: what was said before the first question is left out", "Nothing")
UNANSWERED = Note("the last message was not answered: it is left out", "Nothing, if no answer is lost")
ALTERNATIVES = Note("several answers in a list: the first is taken", "Give each a row of its own to use all of them")
IN_LINES = Note("several texts in a list taken as one, in lines", "Give each a row of its own", True)
OF_TOOLS = Note(
    "messages of a tool taken as the user's, calls as the assistant's", "Leave them out, if of no use", True
)
IN_TURN = Note("messages without roles are taken as the user's and the assistant's in turn", "Name the roles", True)
WEIGHTLESS = Note("weight 0 is not heeded: what was not to be learned is", "Leave these rows out", True)
BAD = Note("label false is not heeded: what is said to be bad is learned", "Leave these rows out", True)


class Reading(NamedTuple):
    """A conversation as it was read; the columns of its row by their plain names; and those that took part in it."""

    messages: list[Message]
    columns: dict[str, Any]
    used: set[str]
    notes: set[Note]


def read(row: Any) -> Reading:
    """Returns the conversation of a row, whatever the layout, or raises Unfit."""
    if isinstance(row, list):  # a bare conversation
        row = {MESSAGES[0]: row}
    columns = _by_name(row) if isinstance(row, Mapping) else {}
    notes: set[Note] = set()
    used = _layout(columns, row)
    if len(used) == 1:
        turns = _list_of_messages(decoded(columns[used[0]], used[0]), used[0], notes)
    else:
        asked, answered = used
        turns = _turns(columns[asked], asked, "user", notes)
        if not blank(columns[asked]):
            beside = tuple(name for name in ASKED[asked] if not blank(columns.get(name)))
            contents = [turns[-1].content, *(_content(columns[name], name, notes) for name in beside)]
            turns[-1] = turns[-1]._replace(content="\n\n".join(contents))
            used += beside
        turns += _turns(columns[answered], answered, "assistant", notes)
    for name in HISTORIES:
        if not blank(columns.get(name)) and _is_list(columns[name]):
            turns = [*_list_of_messages(decoded(columns[name], name), name, notes), *turns]
            used += (name,)
    systems = tuple(name for name in SYSTEM if name in columns and not blank(columns[name]))
    turns = [*(Message("system", _content(columns[name], name, notes)) for name in systems), *turns]
    return Reading(_trimmed(turns, notes), columns, {*used, *systems}, notes)


def unused(reading: Reading, others: Iterable[str]) -> set[Note]:
    """Returns a note for each column that took no part in a conversation and is none of the others."""
    left = reading.columns.keys() - reading.used - set(others)
    return {_not_used(name, reading.columns[name]) for name in left if not blank(reading.columns[name])}


def blank(value: Any) -> bool:
    """Says whether a column holds nothing; what is only invisible counts as said."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value != value or (isinstance(value, list | dict) and not value)


def decoded(value: Any, column: str) -> Any:
    """Returns what a text holds as JSON or as a Python literal, which is read and never executed."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (RecursionError, ValueError) as error:
        reason = f"{column!r} is text, but no JSON ({error})"
    try:
        if len(value) <= LONGEST_LITERAL:
            return ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    raise Unfit("broken JSON", reason)


@cache
def plain(name: str) -> str:
    """Returns a name of a column or a role without case and blanks: `system_prompt` of ` System Prompt`."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _by_name(row: Mapping[Any, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in row.items():
        known = plain(str(name))
        if known in columns and not blank(value) and not blank(columns[known]):
            raise Unfit("two columns of one name", f"two columns are called {known!r}", "Rename one of them")
        if blank(columns.get(known)):
            columns[known] = value
    return columns


def _layout(columns: dict[str, Any], row: Any) -> tuple[str, ...]:
    """Returns the column of the conversation, or those of question and answer: the first that are filled."""
    there = [name for name in MESSAGES if name in columns]
    if whole := next((name for name in there if _is_list(columns[name])), None):
        return (whole,)
    asked, answered = ([name for name in names if name in columns] for names in (ASKED, ANSWERED))
    if asked and answered:
        filled = [next((n for n in names if not blank(columns[n])), names[0]) for names in (asked, answered)]
        return tuple(filled)
    if wholes := there or [name for name in PERHAPS if _is_list(columns.get(name))]:
        return (wholes[0],)
    reason, remedy = next((why for names, why in REFUSED.items() if columns.keys() >= set(names)), ("", ACCEPTED))
    found = ", ".join(map(str, row)) if isinstance(row, Mapping) else f"none, but a bare {type(row).__name__}"
    raise Unfit("unknown format", f"columns found: {found}" + (f"; {reason}" if reason else ""), remedy)


def _is_list(value: Any) -> bool:
    return value.lstrip().startswith("[") if isinstance(value, str) else isinstance(value, list)


_WRITTEN_MESSAGES = re.compile(rf"\s*\[\s*\{{\s*['\"](?:{'|'.join(SPEAKER)})['\"]\s*:", re.IGNORECASE)


def _turns(value: Any, column: str, role: str, notes: set[Note]) -> list[Message]:
    """Returns the messages of a column that may also be one text, said by the role."""
    if isinstance(value, str) and _WRITTEN_MESSAGES.match(value):
        value = decoded(value, column)
    if isinstance(value, Mapping) and _key(value, SPEAKER):
        value = [value]
    if isinstance(value, list) and value and all(_speaks(turn) for turn in value):
        return _list_of_messages(value, column, notes)
    if role == "assistant":
        value = _first(value, notes)
    elif isinstance(value, list) and len(value) > 1 and all(isinstance(text, str) for text in value):
        notes.add(IN_LINES)
    return [Message(role, _content(value, column, notes))]


def _speaks(turn: Any) -> bool:
    """Says whether this is a message; an answer may have its author's name too."""
    if not isinstance(turn, Mapping) or (speaker := _key(turn, SPEAKER)) is None:
        return False
    return plain(speaker) != "author" or plain(str(turn[speaker])) in {*ROLE_NAMES, *TOOL_NAMES}


def _first(answers: Any, notes: set[Note]) -> Any:
    """Returns the first of several answers, or the one that there is."""
    if isinstance(answers, Mapping) and isinstance(answers.get("text"), list):
        answers = answers["text"]  # as SQuAD has them, beside their places in the context
    if not isinstance(answers, list) or any(isinstance(part, Mapping) and "type" in part for part in answers):
        return answers
    given = [answer for answer in answers if not blank(answer)]
    if any(answer != given[0] for answer in given):
        notes.add(ALTERNATIVES)
    return given[0] if given else None


def _list_of_messages(value: Any, column: str, notes: set[Note]) -> list[Message]:
    if not isinstance(value, list | tuple):
        raise Unfit("no messages", f"{column!r} is {type(value).__name__}, not a list of messages")
    if value and all(isinstance(turn, str) for turn in value):
        if column == "turns":  # as MT-Bench has them
            reason = "'turns' that are texts are questions without their answers"
            raise Unfit("no messages", reason, "Write each with its answer, as objects with role and content")
        notes.add(IN_TURN)
        return [Message(("user", "assistant")[i % 2], said) for i, said in enumerate(value)]
    return [message for turn in value for message in _messages(turn, column, notes)]


def _messages(turn: Any, column: str, notes: set[Note]) -> list[Message]:
    """Returns the messages of one entry of a list: it is one; or each of its keys is a role; or a pair of texts."""
    if isinstance(turn, list | tuple) and len(turn) == 2:
        named = isinstance(turn[0], str) and plain(turn[0]) in ROLE_NAMES
        pairs = [turn] if named else list(zip(("user", "assistant"), turn, strict=True))
    elif isinstance(turn, Mapping) and turn and (speaker := _key(turn, SPEAKER)):
        return [_message(turn, speaker, column, notes)]
    elif isinstance(turn, Mapping) and turn and all(plain(str(key)) in ROLE_NAMES for key in turn):
        pairs = list(turn.items())
    else:
        reason = f"{column!r} holds {shorten(repr(turn))}, not an object with role and content"
        raise Unfit("no messages", reason)
    return [Message(_role(who, notes), _content(said, column, notes)) for who, said in pairs]


def _message(turn: Mapping[str, Any], speaker: str, column: str, notes: set[Note]) -> Message:
    said = _key(turn, SAID)
    if said is None and any(plain(str(name)) in CALLS for name in turn):
        turn, said = {**turn, "content": None}, "content"
    if said is None:
        reason = f"{column!r} holds {shorten(repr(turn))}, not an object with role and content"
        raise Unfit("no messages", reason)
    role, content = _role(turn[speaker], notes), _content(turn[said], column, notes)
    others = {name: value for name, value in turn.items() if name not in (speaker, said) and not blank(value)}
    if not content.strip() and any(plain(name) in CALLS for name in others):
        raise Unfit("tool call", "the assistant says nothing, but calls a tool", "Write the call into the content")
    notes |= {_not_used(name, value, " of messages") for name, value in others.items()}
    return Message(role, content)


def _key(turn: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """Returns the key of a message that is the first of the names, whatever its case."""
    if names[0] in turn:
        return names[0]
    keys = {plain(str(key)): key for key in turn}
    return next((keys[name] for name in names if name in keys), None)


def _role(name: Any, notes: set[Note]) -> str:
    known = plain(name) if isinstance(name, str) else ""
    if known in TOOL_NAMES:
        notes.add(OF_TOOLS)
        return TOOL_NAMES[known]
    if known not in ROLE_NAMES:
        names = ", ".join([*ROLE_NAMES, *TOOL_NAMES])
        raise Unfit("unknown role", f"the role {shorten(repr(name))} is none of {names}", "Rename it, or leave it out")
    return ROLE_NAMES[known]


def _content(value: Any, column: str, notes: set[Note]) -> str:
    """Returns a text; what a list of texts says, in lines; and a number, or true or false, as JSON writes it."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if isinstance(value, bool | int | float):
        notes.add(AS_TEXT)
        return json.dumps(value)
    if isinstance(value, list):
        return "\n".join(_content(part, column, notes) for part in value if not _is_reasoning(part, notes))
    said = _key(value, ("text", "parts")) if isinstance(value, Mapping) else None
    if said is not None and str(value.get("type", "text")).endswith("text"):
        return _content(value[said], column, notes)
    found = type(value).__name__
    if isinstance(value, Mapping) and "type" in value:
        found = f"a part of the type {shorten(repr(value['type']))}"
    raise Unfit("not text", f"{column!r} holds {found}, not text", "Turn it into text, or leave the row out")


def _is_reasoning(part: Any, notes: set[Note]) -> bool:
    """Says whether a part of a message is what the model thought before it answered, which is not used."""
    if not isinstance(part, Mapping) or part.get("type") not in REASONING:
        return False
    notes.add(_not_used(part["type"], part, " of messages"))
    return True


def _not_used(name: str, value: Any, where: str = "") -> Note:
    if plain(name) == "weight" and str(value) in ("0", "0.0"):
        return WEIGHTLESS
    if plain(name) == "label" and str(value).strip().lower() == "false":  # in sets of good and bad answers
        return BAD
    remedy = "If answers depend on it, write it into the messages; else nothing"
    return Note(f"not used: column {name!r}{where}", remedy, plain(name) in MEANT)


def _trimmed(turns: list[Message], notes: set[Note]) -> list[Message]:
    """Returns a conversation whose systems are one, that the user begins, and that ends with an answer."""
    first = next((i for i, turn in enumerate(turns) if turn.role != "system"), len(turns))
    instructions = dict.fromkeys(turn.content for turn in turns[:first] if turn.content.strip())
    said = turns[first:]
    if any(turn.role == "user" for turn in said):
        while said[0].role == "assistant":
            notes.add(GREETING)
            del said[0]
    if any(turn.role == "assistant" for turn in said):
        while said[-1].role == "user":
            notes.add(UNANSWERED)
            del said[-1]
    return [*([Message("system", "\n\n".join(instructions))] if instructions else []), *said]
