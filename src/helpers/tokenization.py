"""What are the units of text? Byte-level BPE with a chat template, and documents packed into blocks.

Left out: nothing is lower-cased, normalised or stripped, so decoding gives back every byte of the text.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from helpers import files

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset
    from transformers import PreTrainedTokenizerFast

BEGIN, END, PAD, MASK = "<|begin|>", "<|end|>", "<|pad|>", "<|mask|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
RESERVED = tuple(f"<|reserved_{i}|>" for i in range(8))
SPECIAL = (BEGIN, END, PAD, MASK, *ROLES, *RESERVED)

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ ' ' + message['content'] + eos_token }}{% endgeneration %}"
    "{% else %}{{ ' ' + message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""The blank before a message makes its first word the same token as inside a text: without it, a small model that is to
begin an answer with a name from the question would have to copy one token as another."""

PLAIN_TEMPLATE = (
    "{% if bos_token %}{{ bos_token }}{% endif %}{% for message in messages %}"
    "{{ '' if loop.first else '\n' }}{{ message['role'] | capitalize }}:{{ '\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}"
    "{% else %}{{ message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '\nAssistant:\n' }}{% endif %}"
)
"""For tokenizers that come without a template and without tokens for the roles."""

FOLDED = (
    "{% if messages | length > 1 and messages[0]['role'] == 'system' %}"
    "{% set content = messages[0]['content'] + '\n\n' + messages[1]['content'] %}"
    "{% set messages = [{'role': messages[1]['role'], 'content': content}] + messages[2:] %}"
    "{% endif %}"
)
"""Before a template that has no place for a system message, such as Gemma's: it begins the user's turn."""

_PLAIN = "Mend the tokenizer's chat template, or remove it: then a plain one is used."

IGNORED = -100
"""The label that the loss of torch and transformers leaves out."""

ENCODED_AT_ONCE = 64
"""Documents that a stream encodes together: enough for all cores, little for the memory."""


class RolesRefused(files.WorkbookError):
    """A chat template does not take the roles of a conversation, or their order."""


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Trains a byte-level BPE tokenizer (Sennrich et al. 2016; bytes as in Radford et al. 2019, section 2.2).

    Digits are kept apart, so that every number is spelt alike wherever it occurs. Text that happens to contain the
    name of a special token is encoded as ordinary characters: data cannot pose as a chat turn.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        mask_token=MASK,
        additional_special_tokens=[*ROLES, *RESERVED],
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def character_tokenizer(text: str) -> PreTrainedTokenizerFast:
    """Makes a tokenizer whose tokens are the characters of a text, and nothing else."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    characters = Tokenizer(models.WordLevel({character: i for i, character in enumerate(sorted(set(text)))}))
    characters.pre_tokenizer = pre_tokenizers.Split(Regex(r"(?m)."), "isolated")
    characters.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=characters, clean_up_tokenization_spaces=False)


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    """Returns a fingerprint of vocabulary, merges and template."""
    return files.fingerprint([tokenizer.backend_tokenizer.to_str(), str(tokenizer.chat_template)])


def encode_documents(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> list[list[int]]:
    """Encodes each text as `begin, tokens, end`.

    Models like BERT call the two `cls` and `sep`. Models of the Hub that know no begin or no end token go without it.
    """
    begin = [token for token in (tokenizer.bos_token_id, tokenizer.cls_token_id) if token is not None][:1]
    end = [token for token in (tokenizer.eos_token_id, tokenizer.sep_token_id) if token is not None][:1]
    encoded = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)["input_ids"]
    return [[*begin, *ids, *end] for ids in encoded]


def with_chat_template(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """Gives a tokenizer what conversations need, where it lacks it: a plain chat template, and a token that pads.

    Base models of the Hub have neither. The plain template writes each role as a word on a line of its own, so here,
    other than by role markers that are tokens, a message can pose as a turn of someone else's. A template that has no
    place for a system message gets one, see `FOLDED`. A tokenizer that lacks nothing is returned itself, any other as a
    copy.

    Raises:
        WorkbookError: there is no end token to make it with, or the template cannot write a question and its answer.
    """
    try:
        return _with_chat_template(tokenizer)
    except files.WorkbookError as error:
        where = f"{tokenizer.name_or_path}: " if tokenizer.name_or_path else ""
        raise files.WorkbookError(f"{where}{error}") from error


def _with_chat_template(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    folds = "" if not tokenizer.chat_template or _shows_system(tokenizer) else FOLDED
    ready = tokenizer
    if folds or not (tokenizer.chat_template and tokenizer.pad_token):
        ready = copy.deepcopy(tokenizer)
        ready.chat_template = folds + _template(tokenizer) if tokenizer.chat_template else PLAIN_TEMPLATE
    if not (tokenizer.chat_template and tokenizer.pad_token):
        _require_end(tokenizer)
        ready.pad_token = tokenizer.pad_token or tokenizer.eos_token
    _template_parts(ready, _template(ready), ("user",), True)
    end_of_answer(ready)
    return ready


def _shows_system(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Returns whether a chat template takes a system message and shows it."""
    asked = [{"role": "system", "content": "\ue000"}, {"role": "user", "content": "\ue001"}]
    try:
        return "\ue000" in _written(tokenizer, [asked], _template(tokenizer), answer=False)[0]
    except RolesRefused:
        return False


def _written(
    tokenizer: PreTrainedTokenizerFast,
    conversations: Sequence[Sequence[Mapping[str, str]]],
    template: str,
    *,
    answer: bool,
) -> list[str]:
    """Writes conversations by a chat template; with `answer`, the beginning of an answer follows each.

    Raises:
        RolesRefused: the template refuses one, or fails: its author's code can go wrong in any way.
    """
    from jinja2 import TemplateError

    known = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
    try:
        given: Any = list(conversations)
        return cast(
            "list[str]",
            tokenizer.apply_chat_template(given, chat_template=template, tokenize=False, add_generation_prompt=answer),
        )
    except (*known, TemplateError) as error:
        roles = ", ".join(dict.fromkeys(message["role"] for messages in conversations for message in messages))
        reason = str(error).rstrip(".") or type(error).__name__
        raise RolesRefused(f"The chat template refuses the roles {roles}: {reason}. {_PLAIN}") from error


def encode_conversation(
    tokenizer: PreTrainedTokenizerFast, messages: Sequence[Mapping[str, str]], *, answer: bool = False
) -> tuple[list[int], list[bool]]:
    """Encodes a conversation by the tokenizer's chat template.

    What the messages say is encoded as ordinary characters, also where it holds the name of a special token: nobody
    can pose as another by what they write. (`tokenizer.apply_chat_template` sees no difference.) A prompt's tokens are
    those with which the whole conversation begins, since no token spans the border of a message. With `answer`, the
    template's beginning of an answer is added.

    Returns:
        Token ids; and of each whether it is what an assistant said, the tokens that ended it included.

    Raises:
        WorkbookError: the template refuses the roles, or does not show each message once and in order.
    """
    parts = _template_parts(tokenizer, _template(tokenizer), tuple(message["role"] for message in messages), answer)
    end = end_of_answer(tokenizer) if any(message["role"] == "assistant" for message in messages) else []
    ids = list(parts[0][1])
    said = [False] * len(ids)
    for message, (blank, _), (_, part) in zip(messages, parts[:-1], parts[1:], strict=True):
        text = blank + message["content"]
        content = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        if message["role"] == "assistant":
            content = [*content, *end]
            part = part[len(end) :] if part[: len(end)] == end else part
        ids += [*content, *part]
        said += [*[message["role"] == "assistant"] * len(content), *[False] * len(part)]
    return ids, said


def end_of_answer(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Returns the tokens by which an assistant ends an answer, the last of them a special one.

    They are what the chat template puts after an answer, up to the first special token. A template that puts none there
    would teach a model never to stop, so the tokenizer's own end token stands in, if it has one.
    """
    _, after = _template_parts(tokenizer, _template(tokenizer), ("user", "assistant"), False)[-1]
    known = tokenizer.added_tokens_decoder
    special = [place for place, token in enumerate(after) if token in known and known[token].special]
    if special:
        return after[: special[0] + 1]
    _require_end(tokenizer)
    return [tokenizer.eos_token_id]


def stop_tokens(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Returns the tokens after which an answer is over: the chat template's, and the tokenizer's own."""
    ends = {end_of_answer(tokenizer)[-1], tokenizer.eos_token_id}
    return sorted(token for token in ends if token is not None)


def _require_end(tokenizer: PreTrainedTokenizerFast) -> None:
    if not tokenizer.eos_token:
        raise files.WorkbookError(
            "The tokenizer has no token that ends a text, so a model could not end an answer. "
            "Set its `eos_token`, or use another model."
        )


def _template(tokenizer: PreTrainedTokenizerFast) -> str:
    if not tokenizer.chat_template:
        raise files.WorkbookError(
            "The tokenizer has no chat template, so there is no telling how to write a conversation. "
            "`helpers.tokenization.with_chat_template` gives it a plain one."
        )
    try:
        return str(tokenizer.get_chat_template())
    except ValueError as error:
        raise files.WorkbookError(
            "The tokenizer has several chat templates, and none is named `default`. Name that of conversations so."
        ) from error


@lru_cache(maxsize=1024)
def _template_parts(
    tokenizer: PreTrainedTokenizerFast, template: str, roles: tuple[str, ...], answer: bool
) -> list[tuple[str, list[int]]]:
    """Returns what a chat template puts before, between and after the contents.

    Of each part the blanks at its end, which become one token with the word that follows, and the rest, encoded.
    """
    marked = [{"role": role, "content": f"\ue000{i}\ue001"} for i, role in enumerate(roles)]
    texts = re.split("\ue000(\\d+)\ue001", _written(tokenizer, [marked], template, answer=answer)[0])
    if texts[1::2] != [str(i) for i in range(len(roles))]:
        raise files.WorkbookError(
            "The chat template does not show each message once and in order; "
            f"the roles are {', '.join(roles)}. {_PLAIN}"
        )
    return [
        (
            part[len(part.rstrip(" ")) :],
            tokenizer(part.rstrip(" "), add_special_tokens=False, split_special_tokens=False)["input_ids"],
        )
        for part in texts[::2]
    ]


def pack(documents: Iterable[Sequence[int]], context: int) -> Dataset:
    """Packs encoded documents into blocks of `context` tokens without padding.

    Documents follow one another; one that does not fit goes on in the next block. `position_ids` start again at 0 with
    each document and each block, and from that transformers' causal models see that attention must not cross. What is
    lost: a document cut by the end of a block goes on without its beginning, and the first token of each document and
    block is no target. Only the last block is filled up, with begin tokens that are no targets.

    Returns:
        A data set with `input_ids`, `position_ids`, `labels`, each (context,), labels not shifted.
    """
    from datasets import Dataset

    arrays = [np.asarray(ids, np.int64) for ids in documents if len(ids)]
    if not arrays:
        raise files.WorkbookError("There is nothing to pack: the corpus has no documents.")
    missing = -sum(map(len, arrays)) % context
    ids = np.concatenate([*arrays, np.full(missing, arrays[0][0])])
    positions = np.concatenate([*(np.arange(len(array)) for array in arrays), np.zeros(missing, int)])
    return Dataset.from_dict(_columns(ids, positions, context)).with_format("torch")


def pack_stream(documents: IterableDataset, tokenizer: PreTrainedTokenizerFast, context: int) -> IterableDataset:
    """Encodes and packs documents (rows with `text`) as they come, into the blocks that `pack` makes of them.

    Only the last block differs: it is left out if it is not full. Who skips blocks, as the Trainer does when it
    resumes, lets them be read and encoded again.

    Raises:
        WorkbookError: on the way, if the documents end before the first block is full.
    """
    from datasets import IterableDataset

    arguments = {"documents": documents, "tokenizer": tokenizer, "context": context}
    return IterableDataset.from_generator(_blocks, gen_kwargs=arguments).with_format("torch")


def _blocks(
    documents: IterableDataset, tokenizer: PreTrainedTokenizerFast, context: int
) -> Iterator[dict[str, np.ndarray]]:
    ids = positions = np.empty(0, np.int64)  # of the block that is being filled
    full = False
    for rows in documents.iter(ENCODED_AT_ONCE):
        encoded = encode_documents(tokenizer, rows["text"])
        ids = np.concatenate([ids, *(np.asarray(document, np.int64) for document in encoded)])
        positions = np.concatenate([positions, *(np.arange(len(document)) for document in encoded)])
        end = len(ids) // context * context
        columns = _columns(ids[:end], positions[:end], context)
        for block in range(end // context):
            full = True
            yield {name: column[block] for name, column in columns.items()}
        ids, positions = ids[end:], positions[end:]
    if not full:
        raise files.WorkbookError(
            f"There is nothing to pack: the documents have {len(ids)} tokens in all, a block has {context}. "
            "Give more text, or a smaller context."
        )


def _columns(ids: np.ndarray, positions: np.ndarray, context: int) -> dict[str, np.ndarray]:
    """Cuts token ids and their positions in their documents into whole blocks, (blocks, context) each."""
    input_ids, positions = ids.reshape(-1, context), positions.reshape(-1, context)
    labels = np.where(positions == 0, IGNORED, input_ids)
    # Positions count from the document's begin token, or from the block's start where the document began before it.
    in_block = np.arange(context)
    start = np.maximum.accumulate(np.where(positions == 0, in_block, 0), axis=1)
    return {"input_ids": input_ids, "position_ids": in_block - start, "labels": labels}
