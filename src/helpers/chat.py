"""What does it answer? A conversation with a model in the terminal, or from a file of questions piped into it."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from helpers import files
from helpers.generation import stream_reply
from helpers.models import context_length, device, fast_dtype_for, in_dtype
from helpers.pretrained import load_model
from helpers.tokenization import with_chat_template
from helpers.transcripts import printable

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

COMMANDS = "/new forgets what was said, /system TEXT sets the system message and forgets, /quit ends"


def chat(source: str, system: str, temperature: float, seed: int, max_new_tokens: int) -> None:
    """Talks with a model until the input ends, or `/quit`, or Ctrl-C at the prompt.

    What the model says goes to stdout, all else to stderr; so with piped input stdout holds answers and nothing else.
    """
    model, tokenizer = load_chat_model(source)
    talk = Talk(model, tokenizer, system, temperature, seed, max_new_tokens)
    print(f"{printable(source)}, which reads {context_length(model):,} tokens at once. {COMMANDS}.", file=sys.stderr)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # no model reads what is not text
    while (line := _line()) is not None and line.partition(" ")[0] != "/quit":
        if line.startswith("/"):
            talk.obey(line)
        elif line:
            talk.answer(line)


def load_chat_model(source: str) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Loads a model to talk with, in the fast arithmetic, with a plain chat template if its tokenizer has none.

    The source is what `pretrained.load_model` takes: the folder of a model or an adapter, `smollm2`, or `owner/name`.
    """
    with contextlib.redirect_stdout(sys.stderr):  # how far the conversion of the real model is
        model, tokenizer = load_model(source)
    model = in_dtype(model, fast_dtype_for(model))
    return model.to(device()), with_chat_template(tokenizer)  # type: ignore[arg-type]  # torch's stubs


@dataclass
class Talk:
    """A conversation that goes on, answered as by `generation.reply`; with each turn the seed is one more."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    system: str
    temperature: float
    seed: int
    max_new_tokens: int
    turns: list[dict[str, str]] = field(default_factory=list)

    def answer(self, text: str) -> None:
        """Writes the model's answer as it comes; Ctrl-C stops it, and what was written by then is the answer."""
        opening = [{"role": "system", "content": self.system}] if self.system else []
        messages = [*opening, *self.turns, {"role": "user", "content": text}]
        seed = self.seed + len(self.turns) // 2
        said = ""
        try:
            pieces = stream_reply(self.model, self.tokenizer, messages, self.max_new_tokens, seed, self.temperature)
            for piece in pieces:
                said += piece
                print(printable(piece), end="", flush=True)
        except KeyboardInterrupt:
            print(" (stopped)", end="", file=sys.stderr)
        except files.WorkbookError as error:
            print(f"error: {error}", file=sys.stderr)
            return
        print(flush=True)
        self.turns += [messages[-1], {"role": "assistant", "content": said}]

    def obey(self, line: str) -> None:
        """Carries out a command, or says that there is none such."""
        command, _, text = line.partition(" ")
        if command == "/system":
            self.system = text.strip()
        elif command != "/new":
            print(f"There is no command {printable(command)}. {COMMANDS}.", file=sys.stderr)
            return
        self.turns.clear()


def _line() -> str | None:
    """Reads a line, with a prompt if someone is there to see it; None when the input has ended, or at Ctrl-C."""
    try:
        if not sys.stdin.isatty():
            return input().strip()
        with contextlib.suppress(ImportError):  # where it is, `input` lets the line be edited
            import readline  # noqa: F401
        return input("> ").strip()
    except (EOFError, KeyboardInterrupt):
        if sys.stdin.isatty():
            print(file=sys.stderr)  # so that the shell's prompt does not follow ours
        return None
