"""How does it write? Sampling from a causal model through transformers' `generate`, with a seed."""

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
    """Continues each prompt by sampling.

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
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=pad,
        )  # (prompts, tokens + new tokens)
    return tokenizer.batch_decode(output[:, longest:], skip_special_tokens=True)
