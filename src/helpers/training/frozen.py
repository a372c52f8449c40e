"""What need not be computed twice? What comes out of the layers below the lowest that is trained.

Where LoRA's matrices stand in the upper layers alone, the layers below give the same states in each epoch. They are
computed once and kept in a table, from which a shorter model looks up what it begins with, as others look up
embeddings. In float32 and without dropout the trained weights, their gradients and the losses are those of the whole
model; in bfloat16 the table is rounded like all that is frozen, and dropout is left out in the layers below.
"""

import copy
from collections.abc import Sequence
from itertools import accumulate
from typing import cast

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from helpers.models import backbone_of, batch_tokens, blocks, in_batches, padded
from helpers.progress import Progress

TABLE_BYTES = 1 << 30
"""A table of states has at most so many bytes: what is longer is computed anew each time."""


def lowest_trained(model: PreTrainedModel) -> int:
    """Returns the place of the lowest layer with a weight that is trained; 0 if any weight outside the layers is."""
    trained = [any(weight.requires_grad for weight in block.parameters()) for block in blocks(model)]
    inside = {id(weight) for weight in blocks(model).parameters()}
    outside = any(weight.requires_grad and id(weight) not in inside for weight in model.parameters())
    return 0 if outside or not any(trained) else trained.index(True)


def above_frozen(
    model: PreTrainedModel | PeftModel, rows: Sequence[Sequence[int]]
) -> tuple[PreTrainedModel | PeftModel, list[list[int]]]:
    """Returns the part of a model that each step must compute, and the rows of token ids that it then reads.

    They are the model and the rows themselves where nothing can be saved; otherwise see `upper_part`.
    """
    whole = cast("PreTrainedModel", model.get_base_model() if isinstance(model, PeftModel) else model)
    return upper_part(whole, rows, lowest_trained(whole)) or (model, [list(row) for row in rows])


def upper_part(
    model: PreTrainedModel, rows: Sequence[Sequence[int]], first: int
) -> tuple[PreTrainedModel, list[list[int]]] | None:
    """Returns the layers from the `first` on as a model, and what it reads in place of these rows of token ids.

    It shares its weights with the model: to train it is to train the model. Its token ids are places in the table of
    states of all rows. There is none of a model without layers below, where the table would be too large, or where
    layers cannot be fed with states: GPT-2 adds positions to what it begins with, and in some models the layers take
    turns in how far they look back.
    """
    text = model.config.get_text_config()
    turns = len(set(getattr(text, "layer_types", None) or [""])) > 1
    if not first or turns or sum(map(len, rows)) * text.hidden_size * 4 > TABLE_BYTES:
        return None
    upper = _with_blocks(model, slice(first, None))
    starts = list(accumulate(map(len, rows), initial=0))
    places = [list(range(start, start + len(row))) for start, row in zip(starts, rows, strict=False)]
    upper.set_input_embeddings(_looked_up(_states_before(model, first, rows[:1])))
    if not _alike(model, rows[0], upper, places[0]):
        return None
    upper.set_input_embeddings(_looked_up(_states_before(model, first, rows)))
    return upper, places


def _looked_up(states: torch.Tensor) -> torch.nn.Embedding:
    """Returns states, (tokens, width), as an embedding that is not trained."""
    tokens, width = states.shape
    table = torch.nn.Embedding(tokens, width, device="meta")
    table.weight = torch.nn.Parameter(states, requires_grad=False)
    return table


def _with_blocks(model: PreTrainedModel, kept: slice) -> PreTrainedModel:
    """Returns a model of some of the blocks of another, with which it shares all modules that do not hold the list."""
    whole = blocks(model)

    def without(module: torch.nn.Module) -> torch.nn.Module:
        if module is whole:
            return whole[kept]
        if all(part is not whole for part in module.modules()):
            return module
        shell = copy.copy(module)
        shell._modules = {name: part and without(part) for name, part in module._modules.items()}
        return shell

    return cast("PreTrainedModel", without(model))


@torch.no_grad()
def _states_before(model: PreTrainedModel, layer: int, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Returns what a layer gets of the tokens of all rows, one row after the other, (tokens, width)."""
    lower = _with_blocks(model, slice(layer + 1)).eval()
    text = model.config.get_text_config()
    starts = list(accumulate(map(len, rows), initial=0))
    table = torch.empty(starts[-1], text.hidden_size, device=model.device)
    got: list[torch.Tensor] = []
    hook = blocks(model)[layer].register_forward_pre_hook(lambda _, given: got.append(given[0]))
    try:
        with Progress("reading", len(rows), "rows", silent=len(rows) == 1) as line:
            for batch in in_batches(rows, batch_tokens(32 * text.hidden_size)):
                input_ids, _ = padded([rows[row] for row in batch], model.device)  # causal, so it needs no mask
                backbone_of(lower)(input_ids=input_ids, use_cache=False)
                states = got.pop()  # (rows, tokens, width)
                for row, of_row in zip(batch, states, strict=True):
                    table[starts[row] : starts[row + 1]] = of_row[: len(rows[row])]
                line.advance(len(batch))
    finally:
        hook.remove()
    return table


@torch.no_grad()
def _alike(whole: PreTrainedModel, row: Sequence[int], upper: PreTrainedModel, places: Sequence[int]) -> bool:
    """Returns whether both end with the same states, to rounding."""
    one, other = (
        backbone_of(model.eval())(input_ids=torch.tensor([list(ids)], device=whole.device), use_cache=False)[0]
        for model, ids in ((whole, row), (upper, places))
    )
    return bool((one - other).abs().max() <= 1e-3 * one.abs().max())
