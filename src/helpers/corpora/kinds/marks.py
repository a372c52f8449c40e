"""What stands in a text that should not? Signs of damage, of markup that was pasted, of nothing, of personal data.

Personal data are guessed by their form: e-mail addresses, telephone numbers, and numbers of payment cards, which have
the length and the beginning of an issuer and a check digit (Luhn 1960) that nine of ten other numbers fail. Names and
addresses of houses are not found. What is found is shown masked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple


class Mark(NamedTuple):
    """What was found in a text, what to do about it, and what may be shown of it."""

    what: str
    remedy: str
    shown: str


_NOTHING = {
    *("nan", "none", "null", "nil", "n/a", "na", "#n/a", "nat", "undefined"),
    *("<na>", "<nan>", "<none>", "<null>", "<empty>", "[empty]", "(empty)"),
    *(".", "..", "...", "…", "-", "--", "---", "–", "—", "_", "?"),
}
"""What programs and people write in place of what is missing."""

_BRACKETED = re.compile(r"<[^<>\n]{1,40}>|\[[^\[\]\n]{1,40}\]")
_MARKUP = re.compile(
    r"<[|｜][^<>\n]{1,40}[|｜]>|<(?:start|end)_of_turn>|<(?:bos|eos|pad)>|</?s>|<<?/?SYS>>?|\[/?INST\]"
    r"|###? ?(?:Instruction|Response|Human|Assistant|User|System)\b"
)
_SPEAKER = re.compile(r"(?:^|\n)(?:Human|HUMAN|User|USER|Assistant|ASSISTANT|Bot|BOT|GPT) ?:")
_MOJIBAKE = re.compile("[ÂÃ][\x80-\xbf]|â€|â\x80|ï»¿|\ufffd")

_MAIL = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}\b")
_NOBODYS = re.compile(r"[@.](?:example(?:\.\w+)?|test|invalid|localhost)$", re.IGNORECASE)  # RFC 2606
_DIGITS = re.compile(r"\d[\d ()./-]{6,}\d")
_PHONE = re.compile(
    r"(?<![\w.,+-])(?:"
    r"\+\d[\d ()./-]{6,18}\d"  # international
    r"|\(\d{2,5}\) ?\d{3,4}[ -]?\d{3,5}|\d{3}-\d{3}-\d{4}"  # with the area code in brackets, or of North America
    r"|0\d{1,4}[ /-]\d{3,4}[ -]?\d{3,5}"  # with a trunk zero
    r")(?![\w-]|[.,]\d)"
)
_CARD = re.compile(
    r"(?<![\w.,+-])(?:\d{13,19}|\d{4}(?P<a>[ -])\d{4}(?P=a)\d{4}(?P=a)\d{4}|\d{4}(?P<b>[ -])\d{6}(?P=b)\d{5})"
    r"(?![\w-]|[.,]\d)"
)
_ISSUERS = (
    (("4",), (13, 16, 19)),
    (("34", "37"), (15,)),
    (("51", "52", "53", "54", "55", "22", "23", "24", "25", "26", "27", "6011", "65"), (16,)),
)
"""With what numbers of cards begin, and how many digits these have."""


def marks(contents: list[str], special: Collection[str]) -> Iterator[Mark]:
    """Yields what should not stand in the messages of a conversation, of each kind the first.

    Args:
        special: names of the model's special tokens.
    """
    text = "\n\n".join(contents)
    if not text.isascii() and (damage := _MOJIBAKE.search(text)):
        remedy = "Read the source again with its own encoding, and save it as UTF-8"
        yield Mark("text that was decoded wrongly", remedy, damage.group())
    if any(len(content) < 12 and content.strip().lower() in _NOTHING for content in contents):
        shown = next(content.strip() for content in contents if content.strip().lower() in _NOTHING)
        yield Mark("a message that says no more than 'nan', '-' or the like", "Leave out what is missing", shown)
    yield from _markup(text, special)
    remedy = "A model can repeat it word for word; replace it, or make sure that it may be used"
    for kind, shown in personal(text).items():
        yield Mark(f"perhaps {kind}", remedy, shown)


def _markup(text: str, special: Collection[str]) -> Iterator[Mark]:
    """Yields what looks like the beginning or the end of a message, or is a special token."""
    remedy = "Take it out, and write each message by itself: training adds what the model needs"
    bracketed = "<" in text or "[" in text
    if bracketed and (found := next((token for token in _BRACKETED.findall(text) if token in special), None)):
        what = "special tokens of the model in a text, where they are read as any other characters"
        yield Mark(what, remedy, found)
    pasted = _MARKUP.search(text) if bracketed or "#" in text else None
    if pasted := pasted or (_SPEAKER.search(text) if ":" in text else None):
        yield Mark("markup of a chat in a text", remedy, pasted.group().strip())


def personal(text: str) -> dict[str, str]:
    """Returns what in a text may be personal data: of each kind the first, masked."""
    found = {}
    if "@" in text:
        found["an e-mail address"] = [mail for mail in _MAIL.findall(text) if not _NOBODYS.search(mail)]
    if _DIGITS.search(text):
        cards = (match.group() for match in _CARD.finditer(text))
        found["a card number"] = [card for card in cards if _is_card(re.sub(r"\D", "", card))]
        phones = (phone for phone in _PHONE.findall(text) if 8 <= len(re.sub(r"\D", "", phone)) <= 15)  # ITU-T E.164
        found["a telephone number"] = list(phones)
    return {kind: masked(some[0]) for kind, some in found.items() if some}


def _is_card(digits: str) -> bool:
    """Says whether an issuer gives such numbers, and the check digit is right: the doubled digits' sums end in 0."""
    issued = any(digits.startswith(beginnings) and len(digits) in sizes for beginnings, sizes in _ISSUERS)
    total = sum(int(d) for d in digits[-1::-2]) + sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return issued and total % 10 == 0


def masked(text: str) -> str:
    """Returns a text with dots for all letters and digits but the first and the last."""
    return text[0] + re.sub(r"\w", "•", text[1:-1]) + text[-1]
