"""How likely is a text? Log-likelihoods of any causal model, pseudo-log-likelihoods of any masked one, many at a time.

Texts that are compared mostly begin alike: a few examples before every question, a question before its answers, the
two sentences of a pair. So requests are sorted, and those that stand together become one row: a tree of their tokens,
in which each token sees only those on its own path. What a whole group begins with, unscored, is read once for all its
rows, and kept as keys and values. Logits are computed for the places alone that something is scored at.

A model that cannot read trees, such as Mamba, reads each request by itself; this is tried out, not looked up.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from difflib import SequenceMatcher
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch

from helpers.files import WorkbookError
from helpers.models import backbone_of, batch_tokens, context_length, in_batches, padded, visible

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel, PreTrainedTokenizerFast

ROW_TOKENS = 128
"""Tokens of a row that short requests share; with more of them, attention costs more than padding saves."""

PREFIX_TOKENS = 32
"""A beginning shorter than this is read again with each row, since a reading of its own would cost more."""

WINDOWS = ("sliding_window", "window_size", "attention_chunk_size")
"""Settings by which a model sees only so many tokens back, whatever the mask says."""

CACHED_NUMBERS, FEWEST_TOKENS = 1 << 22, 256
"""So many logits at once are best for a processor: more of them are memory that it must ask for again each time. But
fewer tokens than these cost more than they save."""

NO_END = 1 << 30
"""Where a part of a tree ends that is not ended yet: beyond any row."""

LOGITS_AT_ONCE = 256
"""Rows of logits that become log-probabilities together: of many, a copy would need as much memory again."""

_TRIED: WeakKeyDictionary[PreTrainedModel, bool] = WeakKeyDictionary()
"""Of models that were tried out, whether they read trees."""


class Request(NamedTuple):
    """Token ids of a text, of which the last `scored` ones are scored; its beginning lost `cut` tokens to fit."""

    ids: list[int]
    scored: int
    cut: int = 0


class MaskedRequest(NamedTuple):
    """Token ids of a text, and the places at which a token is hidden and scored, each at a time."""

    ids: list[int]
    places: list[int]


def encode_requests(
    tokenizer: PreTrainedTokenizerFast, pairs: Sequence[tuple[str, str]], context: int
) -> list[Request]:
    """Encodes pairs of a text that is given and its continuation, which is scored, as lm-evaluation-harness does.

    Spaces at the end of what is given belong to the continuation. Where nothing is given, the begin token is, or else
    the end token. What is given loses its beginning where both have more than `context` + 1 tokens: the last token is
    not read, only predicted.

    Raises:
        WorkbookError: a continuation is empty, or too long by itself.
    """
    given = [text.rstrip() for text, _ in pairs]
    rest = [text[len(kept) :] + end for kept, (text, end) in zip(given, pairs, strict=True)]
    distinct = list(dict.fromkeys(filter(None, given)))
    encoded = dict(zip(distinct, _encode(tokenizer, distinct, special=True), strict=True))
    whole = iter(_encode(tokenizer, [kept + end for kept, end in zip(given, rest, strict=True) if kept], special=True))
    alone = iter(_encode(tokenizer, [end for kept, end in zip(given, rest, strict=True) if not kept], special=False))
    begin = next((id_ for id_ in (tokenizer.bos_token_id, tokenizer.eos_token_id) if id_ is not None), None)
    requests = []
    for number, kept in enumerate(given, 1):
        if kept:
            before = encoded[kept]
            after = next(whole)[len(before) :]
        else:
            after = next(alone)
            before = [] if begin is None or after[:1] == [begin] else [begin]
            before, after = before or after[:1], after if before else after[1:]
        if not 0 < len(after) <= context:
            raise WorkbookError(
                f"Request {number}: its continuation has {len(after):,} tokens, and must have 1 to {context:,}: "
                f"{pairs[number - 1][1][:60]!r}. Give some text, or less of it."
            )
        ids = [*before, *after]
        requests.append(Request(ids[-context - 1 :], len(after), max(0, len(ids) - context - 1)))
    return requests


def _encode(tokenizer: PreTrainedTokenizerFast, texts: list[str], *, special: bool) -> list[list[int]]:
    """Encodes texts, with the special tokens that the tokenizer adds, unless a text begins with the begin token."""
    begin = tokenizer.bos_token
    named = [bool(special and not (begin and text.startswith(begin))) for text in texts]
    found: dict[bool, Iterator[list[int]]] = {}
    for adds in set(named):
        some = [text for text, name in zip(texts, named, strict=True) if name is adds]
        encoded = tokenizer(some, add_special_tokens=adds, return_attention_mask=False, verbose=False)["input_ids"]
        found[adds] = iter(encoded)
    return [next(found[name]) for name in named]


def log_likelihoods(model: PreTrainedModel, requests: Sequence[Request]) -> np.ndarray:
    """Returns the log-likelihood of what is scored of each request, in nats, (requests,), in float64."""
    return np.array([found.sum() for found in token_log_likelihoods(model, requests)])


@torch.inference_mode()
def token_log_likelihoods(model: PreTrainedModel, requests: Sequence[Request]) -> list[np.ndarray]:
    """Returns the log-likelihood that a causal model gives each token that is scored, given all before it.

    Requests with the same ids get the same numbers to the last bit; in another company they differ by float noise. All
    but what the model computes is in float32 at least.

    Returns:
        For each request nats, (scored,), in float64.

    Raises:
        WorkbookError: a request is longer than what the model can read.
        ValueError: all tokens of a request shall be scored, and its first follows nothing.
    """
    _require_room([len(request.ids) - 1 for request in requests], model)  # the last token is not read
    if any(request.scored >= len(request.ids) for request in requests):
        raise ValueError("the first token of a request follows nothing, and cannot be scored")
    found = [np.empty(0)] * len(requests)
    order = sorted((i for i, request in enumerate(requests) if request.scored > 0), key=lambda i: requests[i].ids[:-1])
    if not order:
        return found
    trees = _reads_trees(model, max(ROW_TOKENS, 2 * max(len(requests[i].ids) for i in order)))
    for prefix, places in _groups(requests, order) if trees else [(0, order)]:
        for place, nats in _score(model, [requests[i] for i in places], prefix, trees=trees):
            found[places[place]] = nats
    return found


def _require_room(lengths: Sequence[int], model: PreTrainedModel) -> None:
    most = context_length(model)
    for number, length in enumerate(lengths, 1):
        if length > most:
            raise WorkbookError(
                f"Request {number}: {length:,} tokens are to be read, and the model reads {most:,} at most. Shorten it."
            )


def _groups(requests: Sequence[Request], order: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Divides sorted requests into groups that begin alike, unscored, with so many tokens; 0 for all others together.

    A group is worth a reading of its beginning alone if its requests need more than one row.
    """
    groups: list[tuple[int, list[int]]] = []
    others: list[int] = []
    for _, same in groupby(order, key=lambda i: requests[i].ids[:PREFIX_TOKENS]):
        places = list(same)
        shared = _common(requests[places[0]].ids, requests[places[-1]].ids)
        prefix = min(shared, *(len(requests[i].ids) - requests[i].scored - 1 for i in places))
        if prefix >= PREFIX_TOKENS and sum(len(requests[i].ids) - prefix for i in places) > ROW_TOKENS:
            groups.append((prefix, places))
        else:
            others += places
    return [*groups, (0, others)]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Returns with how many equal tokens two texts begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _tokens_at_once(model: PreTrainedModel) -> int:
    vocabulary = model.config.get_text_config().vocab_size
    most = batch_tokens(vocabulary)
    return min(most, max(FEWEST_TOKENS, CACHED_NUMBERS // vocabulary)) if model.device.type == "cpu" else most


class _Row:
    """Requests that are read together: a tree of their tokens, depth first, without the last token of each.

    `ends` tells of each token where the part of the tree ends that grows from it: the tokens up to there see it.
    `paths` are of each request the tokens of the tree at which it is scored, `targets` those that come next.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.tokens: list[int] = []
        self.positions: list[int] = []
        self.ends: list[int] = []
        self.paths: list[list[int]] = []
        self.targets: list[list[int]] = []
        self._last: list[int] = []
        self._path: list[int] = []

    @property
    def branches(self) -> bool:
        """Whether this is more than one text from its beginning to its end."""
        return self.positions[-1] < len(self.tokens) - 1

    def takes(self, ids: list[int]) -> bool:
        """Returns whether a request's tokens fit in, or are there already."""
        new = len(ids) - _common(ids, self._last)
        return not new or len(self.tokens) + new <= self.most

    def add(self, ids: list[int], targets: list[int]) -> None:
        """Adds the tokens of a request that sorts after the last one, and those that are predicted at its end."""
        shared, size = _common(ids, self._last), len(self.tokens)
        for node in self._path[shared:]:
            self.ends[node] = size
        self._path = [*self._path[:shared], *range(size, size + len(ids) - shared)]
        self._last = ids
        self.tokens += ids[shared:]
        self.positions += range(shared, len(ids))
        self.ends += [NO_END] * (len(ids) - shared)
        self.paths.append(self._path[-len(targets) :])
        self.targets.append(targets)


def _score(
    model: PreTrainedModel, requests: Sequence[Request], prefix: int, *, trees: bool
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the place of each of some sorted requests, which begin with a prefix of so many tokens, and its nats."""
    limit = min(_tokens_at_once(model), context_length(model) - prefix)  # some models have no mask for longer rows
    rows: list[_Row] = []
    places: list[list[int]] = []
    for place, (ids, scored, _) in enumerate(requests):
        read = ids[prefix:-1]
        if not rows or not rows[-1].takes(read):
            rows.append(_Row(min(max(ROW_TOKENS, 2 * len(ids)) - prefix, limit) if trees else 0))
            places.append([])
        rows[-1].add(read, ids[-scored:])
        places[-1].append(place)
    cache = None
    if prefix:
        shared = torch.tensor([requests[0].ids[:prefix]], device=model.device)
        cache = backbone_of(model)(input_ids=shared, use_cache=True).past_key_values
    for batch in in_batches([range(prefix + len(row.tokens)) for row in rows], _tokens_at_once(model)):
        nats = _read(model, [rows[i] for i in batch], prefix, cache, trees=trees)
        yield from zip((place for i in batch for place in places[i]), nats, strict=True)


def _read(
    model: PreTrainedModel, rows: Sequence[_Row], prefix: int, cache: Cache | None, *, trees: bool
) -> list[np.ndarray]:
    """Lets a model read rows, after a prefix that it has read before; returns the nats of each of their requests."""
    input_ids, _ = padded([row.tokens for row in rows], model.device)  # (rows, tokens); causal, so padding is not seen
    inputs: dict[str, Any] = {"input_ids": input_ids, "use_cache": cache is not None}
    if cache is not None:
        inputs["past_key_values"] = copy.deepcopy(cache)
        inputs["past_key_values"].batch_repeat_interleave(len(rows))
    if any(row.branches for row in rows):
        inputs |= _tree_inputs(model, rows, prefix)
    wanted = np.zeros(input_ids.shape, bool)
    for at, row in enumerate(rows):
        wanted[at, [node for path in row.paths for node in path]] = True
    logits = _logits_at(model, torch.from_numpy(wanted).to(model.device), before_head=trees, **inputs)
    number = (wanted.cumsum() - 1).reshape(wanted.shape)  # of each place that is wanted, which row of logits it has
    found = [number[at, path] for at, row in enumerate(rows) for path in row.paths]
    targets = np.array([token for row in rows for ids in row.targets for token in ids])
    nats = _log_probabilities(logits, np.concatenate(found), targets)
    return np.split(nats, np.cumsum([len(path) for path in found])[:-1])


def _tree_inputs(model: PreTrainedModel, rows: Sequence[_Row], prefix: int) -> dict[str, torch.Tensor]:
    """Returns the attention mask of trees, (rows, 1, tokens, prefix + tokens), and their positions, (rows, tokens)."""
    width = max(len(row.tokens) for row in rows)
    filled = [(row, width - len(row.tokens)) for row in rows]
    ends = torch.tensor([row.ends + [NO_END] * missing for row, missing in filled], device=model.device)
    positions = torch.tensor([row.positions + [0] * missing for row, missing in filled], device=model.device) + prefix
    reader = torch.arange(width, device=model.device)[:, None]
    seen = (reader >= reader.T) & (reader < ends[:, None])  # (rows, tokens, tokens)
    mask = torch.zeros(len(rows), 1, width, prefix + width, dtype=model.dtype, device=model.device)
    mask[:, 0, :, prefix:].masked_fill_(~seen, torch.finfo(model.dtype).min)
    return {"attention_mask": mask, "position_ids": positions}


def _reads_trees(model: PreTrainedModel, longest: int) -> bool:
    """Returns whether a model gives the tokens of rows up to so long what it gives them in texts read one by one.

    Tried out once, on short texts. What a longer one would show is a model that sees only so far back, which its
    configuration tells.
    """
    text = model.config.get_text_config()
    if any((getattr(text, name, None) or longest) < longest for name in WINDOWS):
        return False
    if model not in _TRIED:
        _TRIED[model] = _reads_short_trees(model)
    return _TRIED[model]


def _reads_short_trees(model: PreTrainedModel) -> bool:
    vocabulary = model.config.get_text_config().vocab_size
    texts = [[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5, 8, 7], [1, 2, 3, 4, 6, 5], [1, 2, 5, 4, 3, 6, 7, 8]]
    requests = [Request([token % vocabulary for token in ids], len(ids) - 3) for ids in texts]
    alone = np.concatenate([nats for _, nats in sorted(_score(model, requests, 0, trees=False))])
    try:
        together = np.concatenate([nats for _, nats in sorted(_score(model, requests, 2, trees=True))])
    except torch.OutOfMemoryError:
        raise
    except (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return False  # it knows no keys and values, or no such mask
    rounding = torch.finfo(model.dtype).eps
    noise = min(512 * rounding, rounding**0.5)  # SmolLM2's numbers differ by 64 roundings
    return bool(np.allclose(together, alone, rtol=noise, atol=noise))


def _logits_at(model: PreTrainedModel, wanted: torch.Tensor, *, before_head: bool, **inputs: Any) -> torch.Tensor:
    """Returns a model's logits at the places (rows, tokens) that are wanted, (places, vocabulary).

    With `before_head`, the output layer is given the states of these places alone.
    """

    def choose(_module: torch.nn.Module, _arguments: Any, output: Any) -> None:
        if "last_hidden_state" in output:
            output["last_hidden_state"] = output["last_hidden_state"][wanted][None]

    hook = backbone_of(model).register_forward_hook(choose) if before_head else nullcontext()
    with hook:
        logits = model(**inputs).logits
    return logits[wanted] if logits.shape[:2] == wanted.shape else logits[0]


def _log_probabilities(logits: torch.Tensor, rows: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Returns the log-probability of tokens by the logits (rows, vocabulary) in such rows, (tokens,), in float64."""
    place = torch.from_numpy(rows * logits.shape[1] + tokens).to(logits.device)
    nats = torch.empty(len(rows), device=logits.device)
    for start in range(0, len(logits), LOGITS_AT_ONCE):
        part = logits[start : start + LOGITS_AT_ONCE].float().log_softmax(-1)  # not logsumexp: as others compute it
        here = (place >= start * logits.shape[1]) & (place < (start + len(part)) * logits.shape[1])
        nats[here] = part.flatten()[place[here] - start * logits.shape[1]]
    return nats.cpu().double().numpy()  # some cards have no float64


def shared_places(one: Sequence[int], other: Sequence[int]) -> tuple[list[int], list[int]]:
    """Returns the places of the tokens that two texts share, in each of them, but for the first and the last.

    Those are the begin and the end token. So CrowS-Pairs scores a pair with a masked model (Nangia et al. 2020,
    section 3): by the tokens that its sentences share, each given all others of its sentence.
    """
    blocks = SequenceMatcher(None, one, other).get_matching_blocks()
    pairs = [(block.a + i, block.b + i) for block in blocks for i in range(block.size)][1:-1]
    return [a for a, _ in pairs], [b for _, b in pairs]


@torch.inference_mode()
def token_pseudo_log_likelihoods(
    model: PreTrainedModel, requests: Sequence[MaskedRequest], mask_token_id: int
) -> list[np.ndarray]:
    """Returns the log-probability that a masked model gives each hidden token, given all others of its text.

    Its sum over all tokens of a text is the pseudo-log-likelihood (Salazar et al. 2020, section 2); over the tokens
    that two texts share, `shared_places`, what CrowS-Pairs compares.

    Returns:
        For each request nats, (places,), in float64.

    Raises:
        WorkbookError: a request is longer than what the model can read.
    """
    _require_room([len(request.ids) for request in requests], model)
    if not requests:
        return []
    rows = [request.ids for request in requests for _ in request.places]
    places = [place for request in requests for place in request.places]
    found = np.empty(len(rows))
    for batch in in_batches(rows):
        input_ids, mask = padded([rows[i] for i in batch], model.device)  # (rows, tokens)
        hidden = torch.tensor([places[i] for i in batch], device=model.device)[:, None]
        targets = input_ids.gather(1, hidden).squeeze(1).cpu().numpy()
        input_ids = input_ids.scatter(1, hidden, mask_token_id)
        wanted = torch.zeros_like(mask, dtype=torch.bool).scatter(1, hidden, True)
        seen = visible(model, mask)
        logits = _logits_at(model, wanted, before_head=True, input_ids=input_ids, attention_mask=seen)
        found[batch] = _log_probabilities(logits, np.arange(len(batch)), targets)
    return np.split(found, np.cumsum([len(request.places) for request in requests])[:-1])
