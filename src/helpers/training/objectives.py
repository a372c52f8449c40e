"""What is the model asked to guess? The next token, or, if it is bidirectional, tokens that were hidden from it.

The first is transformers' own loss of a causal model. The second is BERT's (Devlin et al. 2019, section 3.1), but for
the share that is hidden. Left out: hiding whole words or spans, and BERT's other task, whether two sentences belong
together.
"""

import torch
from transformers import PreTrainedModel

from helpers.tokenization import IGNORED

HIDDEN = 0.3
"""Share of the tokens that are to be guessed. BERT had 0.15; in trials here 0.3 learned more, and 0.4 no more than 0.3.
(That more than 0.15 can be better: Wettig et al. 2023, 'Should you mask 15% in masked language modeling?')"""

MASKED, REPLACED = 0.8, 0.1
"""Of these, the share shown as mask tokens, and as a token drawn at random; the others are shown as they are."""


def document_mask(position_ids: torch.Tensor) -> torch.Tensor:
    """Returns an attention mask, (blocks, 1, context, context), by which a token sees all of its document and no other.

    `position_ids` are (blocks, context), 0 where a document or block starts.
    """
    document = (position_ids == 0).cumsum(1)  # (blocks, context)
    return (document[:, :, None] == document[:, None, :])[:, None]


def hide(
    input_ids: torch.Tensor, labels: torch.Tensor, mask_token_id: int, vocab_size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Hides some tokens, as BERT does (Devlin et al. 2019, section 3.1), of those whose label is not `IGNORED`.

    Returns what the model sees, and what it must guess, `IGNORED` at all other places; (blocks, context) each.
    """
    asked = (torch.rand(input_ids.shape, device=input_ids.device) < HIDDEN) & (labels != IGNORED)
    fate = torch.rand(input_ids.shape, device=input_ids.device)
    noise = torch.randint_like(input_ids, vocab_size)
    seen = torch.where(asked & (fate < MASKED), mask_token_id, input_ids)
    seen = torch.where(asked & (fate >= 1 - REPLACED), noise, seen)
    return seen, torch.where(asked, input_ids, IGNORED)


def hidden_token_loss(
    model: PreTrainedModel, head: torch.nn.Module, batch: dict[str, torch.Tensor], mask_token_id: int, vocab_size: int
) -> torch.Tensor:
    """Returns a bidirectional model's loss at tokens hidden from it, in nats a hidden token; 0 if none could be.

    `head` is the model's output layer, which is given the states of hidden tokens alone.
    """
    seen, asked = hide(batch["input_ids"], batch["labels"], mask_token_id, vocab_size)
    hidden = asked != IGNORED  # (blocks, context)
    places = document_mask(batch["position_ids"])
    with head.register_forward_pre_hook(lambda _, states: (states[0][hidden],)):
        logits = model(
            input_ids=seen, position_ids=batch["position_ids"], attention_mask=places, use_cache=False
        ).logits  # (hidden tokens, vocabulary)
    losses = torch.nn.functional.cross_entropy(logits.float(), asked[hidden], reduction="sum")
    return losses / hidden.sum().clamp(min=1)
