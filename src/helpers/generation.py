"""How does it write? By sampling, with a seed: a causal model by transformers' `generate`, a masked one by filling.

Texts are written together: what all begin with is read once, and those that have ended leave the batch.

Left out: filling many gaps at once in rounds, which needs a model that was trained on texts with most tokens hidden.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, cast

import torch

from helpers import files
from helpers.models import backbone_of, context_length, full_attention_mask, in_batches
from helpers.progress import each
from helpers.tokenization import encode_conversation, stop_tokens

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerFast
    from transformers.generation import GenerateDecoderOnlyOutput

TOGETHER = 16  # tokens that are written until rows that have ended are taken out
FEWEST_SHARED = 8  # tokens that all rows must begin with, to be read once for all


@torch.inference_mode()
def sample(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[str],
    max_new_tokens: int,
    seed: int,
    temperature: float = 0.8,
) -> list[str]:
    """Continues each prompt by sampling from all of the vocabulary; an empty prompt lets the model begin by itself.

    Below a temperature of 1, likely tokens are preferred; at 0, the likeliest token is always taken. Where prompt and
    continuation do not fit into the context, the prompt loses its beginning, and the continuation is at most half of it
    long. Returns the continuations alone, without special tokens; the caller's random state is left as it was.
    """
    bos, eos, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    begin, stops = ([] if token is None else [token] for token in (bos, eos))
    rows = [[*begin, *tokenizer(prompt, add_special_tokens=False)["input_ids"]] for prompt in prompts]
    new = min(max_new_tokens, context_length(model) // 2)
    most = context_length(model) - new
    rows = [row[-most:] or stops or [0] for row in rows]  # without a begin token, a text follows the end of another
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        written = _continued(model, rows, new, temperature, stops, pad if pad is not None else eos or 0)
    return tokenizer.batch_decode(written, skip_special_tokens=True)


@torch.inference_mode()
def reply(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    conversations: Sequence[Sequence[Mapping[str, str]]],
    max_new_tokens: int,
    seed: int = 0,
    temperature: float = 0.0,
) -> list[str]:
    """Answers each conversation, drawing as `sample` does; without special tokens.

    One that is too long for the model loses its oldest turns: not the system's message, and not the last turn.

    Raises:
        WorkbookError: the last turn of a conversation alone is too long.
    """
    rows = [_prompt(model, tokenizer, messages, max_new_tokens) for messages in conversations]
    stops = stop_tokens(tokenizer)
    answers = [""] * len(rows)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for batch in each(list(in_batches(rows)), "answering", "batches"):
            written = _continued(model, [rows[i] for i in batch], max_new_tokens, temperature, stops, stops[0])
            for i, ids in zip(batch, written, strict=True):
                answers[i] = _text(tokenizer, list(takewhile(lambda token: token not in stops, ids)))
    return answers


def stream_reply(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    messages: Sequence[Mapping[str, str]],
    max_new_tokens: int,
    seed: int = 0,
    temperature: float = 0.0,
) -> Iterator[str]:
    """Answers one conversation piece by piece, in whole characters; at temperature 0 they make up what `reply` gives.

    Transformers' own streamer needs a thread, whose draws come from the caller's random state, and cannot be stopped.
    """
    said: list[int] = []
    shown = 0
    prompt = _prompt(model, tokenizer, messages, max_new_tokens)
    for token in _tokens(model, prompt, stop_tokens(tokenizer), max_new_tokens, seed, temperature):
        said.append(token)
        text = _text(tokenizer, said)
        if len(text) > shown and not text.endswith("\N{REPLACEMENT CHARACTER}"):  # which stands for half a character
            yield text[shown:]
            shown = len(text)
    if rest := _text(tokenizer, said)[shown:]:
        yield rest


@torch.inference_mode()
def _tokens(
    model: PreTrainedModel, unread: list[int], stops: list[int], most: int, seed: int, temperature: float
) -> Iterator[int]:
    """Yields the tokens of an answer to a prompt, without the one that ends it."""
    draw = torch.Generator().manual_seed(seed)
    cache = None
    for _ in range(most):
        output = model(input_ids=torch.tensor([unread], device=model.device), past_key_values=cache, use_cache=True)
        cache, logits = output.get("past_key_values"), output.logits[0, -1].float().cpu()
        if temperature > 0:
            token = int(torch.multinomial((logits / temperature).softmax(-1), 1, generator=draw))
        else:
            token = int(logits.argmax())
        if token in stops:
            return
        yield token
        unread = [token] if cache is not None else [*unread, token]  # Mamba has another cache: it reads all again


def _prompt(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    messages: Sequence[Mapping[str, str]],
    max_new_tokens: int,
) -> list[int]:
    """Encodes a conversation that is to be answered, without its oldest turns where they leave no room for that."""
    system, turns = (messages[:1], messages[1:]) if messages[0]["role"] == "system" else ([], messages)
    room = context_length(model) - max_new_tokens
    while len(ids := encode_conversation(tokenizer, [*system, *turns], answer=True)[0]) > room:
        later = [i for i, message in enumerate(turns) if i and message["role"] == "user"]
        if not later:
            raise files.WorkbookError(
                f"The last message is too long: with what the chat template and the system's message add it has "
                f"{len(ids):,} tokens, and the model reads {context_length(model):,}, of which {max_new_tokens:,} are "
                "kept for the answer. Shorten it, or let the answer be shorter."
            )
        turns = turns[later[0] :]
    return ids


def _continued(
    model: PreTrainedModel,
    rows: Sequence[Sequence[int]],
    max_new_tokens: int,
    temperature: float,
    stops: Sequence[int],
    pad: int,
) -> list[list[int]]:
    """Returns what a model writes after each row of token ids, decoded together; drawn from torch's random state.

    Rows that have ended are taken out now and then. Not where tokens are drawn: these would then depend on it.
    """
    input_ids, attention_mask = _padded_left(rows, pad, model.device)
    cache = _empty_cache(model)
    parting = cache is not None and temperature == 0 and len(rows) > 1
    if cache is not None:
        cache = _read_shared(model, rows, cache)
    written: list[list[int]] = [[] for _ in rows]
    going, left = list(range(len(rows))), max_new_tokens
    while going and left:
        new = min(left, TOGETHER) if parting else left
        output = _generated(model, input_ids, attention_mask, cache, new, temperature, stops, pad)
        fresh = output.sequences[:, input_ids.shape[1] :]  # (rows that go on, new tokens)
        for row, ids in zip(going, fresh.tolist(), strict=True):
            written[row] += ids
        left -= new
        if left:
            goes_on = ~torch.isin(fresh, fresh.new_tensor(stops)).any(1)
            cache = cast("DynamicCache", output.past_key_values)
            cache.batch_select_indices(goes_on)
            input_ids = output.sequences[goes_on]
            attention_mask = torch.cat([attention_mask, torch.ones_like(fresh)], dim=1)[goes_on]
            going = [row for row, on in zip(going, goes_on.tolist(), strict=True) if on]
    return written


def _padded_left(rows: Sequence[Sequence[int]], pad: int, where: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns `input_ids`, padded on the left, and the `attention_mask` that hides padding; (rows, tokens) each."""
    gaps = [max(map(len, rows)) - len(row) for row in rows]
    input_ids = torch.tensor([[pad] * gap + [*row] for gap, row in zip(gaps, rows, strict=True)], device=where)
    return input_ids, (
        torch.arange(input_ids.shape[1], device=where) >= torch.tensor(gaps, device=where)[:, None]
    ).long()


def _empty_cache(model: PreTrainedModel) -> DynamicCache | None:
    """Returns a cache from which rows can be taken out, if a model's is one: all of its layers keep each token."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    takes = inspect.signature(model.forward).parameters
    cache = DynamicCache(config=model.config)
    plain = "past_key_values" in takes and all(type(layer) is DynamicLayer for layer in cache.layers)
    return cache if plain else None


def _read_shared(model: PreTrainedModel, rows: Sequence[Sequence[int]], cache: DynamicCache) -> DynamicCache:
    """Lets a model read once what all rows begin with, such as the system's message; in the places of padded rows.

    A row with padding in front has places for less of it, and reads the rest itself.
    """
    from transformers import DynamicCache

    columns = zip(*(row[:-1] for row in rows), strict=False)
    shared = sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, columns))
    if len(rows) == 1 or shared < FEWEST_SHARED:
        return cache
    begin = torch.tensor([list(rows[0][:shared])], device=model.device)
    backbone_of(model)(input_ids=begin, past_key_values=cache, use_cache=True)
    gaps = torch.tensor([max(map(len, rows)) - len(row) for row in rows], device=model.device)
    places = (torch.arange(shared, device=model.device) - gaps[:, None]).clamp(min=0)  # (rows, shared)
    states = [
        (keys[0][:, places].transpose(0, 1), values[0][:, places].transpose(0, 1)) for keys, values, *_ in cache
    ]  # for each layer twice (rows, heads, shared, width)
    return DynamicCache(states, config=model.config)


def _generated(
    model: PreTrainedModel,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    cache: DynamicCache | None,
    max_new_tokens: int,
    temperature: float,
    stops: Sequence[int],
    pad: int,
) -> GenerateDecoderOnlyOutput:
    return model.generate(  # type: ignore[operator]  # a mixin that the class does not declare
        input_ids=input_ids,
        attention_mask=attention_mask,
        past_key_values=cache,
        max_new_tokens=max_new_tokens,
        do_sample=temperature > 0,
        temperature=temperature if temperature > 0 else None,
        top_k=0 if temperature > 0 else None,  # left out, generate would cut off all but the 50 likeliest tokens
        top_p=1.0,
        repetition_penalty=1.0,  # like top_p, a model of the Hub may bring its own; here all write by the same rules
        use_cache=True,  # a model made to be trained may say otherwise: then each token would cost a whole reading
        eos_token_id=list(stops) or None,
        pad_token_id=pad,
        return_dict_in_generate=True,
    )


def _text(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> str:
    """Decodes an answer as it was written: tidied up, text could change that was shown before."""
    text = str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
    return text.removeprefix(" ")  # the chat template's


@torch.inference_mode()
def sample_by_filling(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, count: int, new_tokens: int, seed: int
) -> list[str]:
    """Lets a bidirectional model write documents: a mask at the end is filled by sampling, then the next one."""
    draw = torch.Generator().manual_seed(seed)
    ids = torch.full((count, 1), tokenizer.bos_token_id)
    gap = torch.full((count, 1), tokenizer.mask_token_id)
    for _ in range(new_tokens):
        shown = torch.cat([ids, gap], dim=1).to(model.device)  # (documents, tokens + 1)
        logits = model(input_ids=shown, attention_mask=full_attention_mask(shown), use_cache=False).logits[:, -1]
        chosen = torch.multinomial(logits.float().cpu().softmax(-1), 1, generator=draw)
        ended = (ids == tokenizer.eos_token_id).any(1, keepdim=True)
        ids = torch.cat([ids, torch.where(ended, tokenizer.eos_token_id, chosen)], dim=1)
    return tokenizer.batch_decode(ids, skip_special_tokens=True)
