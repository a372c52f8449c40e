"""How does it write? By sampling, with a seed: a causal model by transformers' `generate`, a masked one by filling.

A model that fills gaps can be made to write by giving it a gap at the end, again and again. Left out: filling many
gaps at once in rounds, which needs a model that was trained on texts with most of their tokens hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@torch.inference_mode()
def sample(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[str],
    max_new_tokens: int,
    seed: int,
    temperature: float = 0.8,
) -> list[str]:
    """Continues each prompt by sampling from all of the vocabulary.

    Args:
        model: a causal model.
        tokenizer: its tokenizer, with begin and padding tokens.
        prompts: the beginnings; an empty one lets the model begin by itself.
        max_new_tokens: where to stop a text that does not end by itself.
        seed: of the draws; the caller's random state is left as it was.
        temperature: below 1, likely tokens are preferred; at 0, the likeliest token is always taken.

    Returns:
        The continuations, without the prompts and without special tokens.
    """
    rows = [[tokenizer.bos_token_id, *tokenizer(prompt, add_special_tokens=False)["input_ids"]] for prompt in prompts]
    longest = max(len(row) for row in rows)
    pad = tokenizer.pad_token_id
    input_ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])  # (prompts, tokens), padded left
    attention_mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        output = model.generate(  # type: ignore[operator]  # a mixin that the class does not declare
            input_ids=input_ids.to(model.device),
            attention_mask=attention_mask.to(model.device),
            max_new_tokens=max_new_tokens,
            do_sample=temperature > 0,
            temperature=temperature if temperature > 0 else None,
            top_k=0 if temperature > 0 else None,  # left out, generate would cut off all but the 50 likeliest tokens
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=pad,
        )  # (prompts, tokens + new tokens)
    return tokenizer.batch_decode(output[:, longest:], skip_special_tokens=True)


@torch.inference_mode()
def sample_by_filling(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, count: int, new_tokens: int, seed: int
) -> list[str]:
    """Lets a model that looks both ways write documents: a mask at the end is filled by sampling, then the next one.

    Args:
        model: as `models.masked_model` makes it.
        tokenizer: its tokenizer, with begin, end and mask tokens.
        count: documents.
        new_tokens: where to stop one that does not end by itself.
        seed: of the draws; the caller's random state is left as it was.

    Returns:
        The documents, without special tokens.
    """
    draw = torch.Generator().manual_seed(seed)
    ids = torch.full((count, 1), tokenizer.bos_token_id)
    gap = torch.full((count, 1), tokenizer.mask_token_id)
    for _ in range(new_tokens):
        shown = torch.cat([ids, gap], dim=1).to(model.device)  # (documents, tokens + 1)
        logits = model(input_ids=shown, attention_mask=everywhere(shown), use_cache=False).logits[:, -1].float().cpu()
        chosen = torch.multinomial(logits.softmax(-1), 1, generator=draw)
        ended = (ids == tokenizer.eos_token_id).any(1, keepdim=True)
        ids = torch.cat([ids, torch.where(ended, tokenizer.eos_token_id, chosen)], dim=1)
    return tokenizer.batch_decode(ids, skip_special_tokens=True)


def everywhere(input_ids: torch.Tensor) -> torch.Tensor:
    """Returns the attention mask with which each token sees all of its row.

    Args:
        input_ids: (rows, tokens).

    Returns:
        Booleans, (rows, 1, tokens, tokens).
    """
    rows, tokens = input_ids.shape
    return torch.ones(rows, 1, tokens, tokens, dtype=torch.bool, device=input_ids.device)
