"""Can the same step be cheaper? The blocks of a small Qwen3, in fewer passes over memory and fewer, larger products.

transformers writes a norm as six passes over the states, and autograd takes as many more. Here norms are written out
with their gradients, and products that share their input are one: queries, keys and values; gate and up. Nothing of a
model changes but how its blocks compute while it is trained; logits and gradients are the same to rounding.

Left out: cards, which have kernels of their own; models with adapters; the gated unit and the loss, for which own
gradients were no quicker than torch's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@contextmanager
def fused(model: PreTrainedModel | torch.nn.Module) -> Iterator[None]:
    """Lets the blocks of a model compute in fewer passes, where they are Qwen3's, on a CPU and without adapters."""
    from transformers.models.qwen3.modeling_qwen3 import Qwen3DecoderLayer

    blocks = [part for part in model.modules() if type(part) is Qwen3DecoderLayer and _is_plain(part)]
    for block in blocks:
        vars(block)["forward"] = MethodType(_block, block)
    try:
        yield
    finally:
        for block in blocks:
            del vars(block)["forward"]


def _is_plain(block: torch.nn.Module) -> bool:
    """Returns whether a block is as transformers makes it: nothing was put in place of its matrices, or hooked on."""
    from torch.distributed.tensor import DTensor

    matrices = [part for name, part in block.named_modules() if name.endswith("_proj")]
    return (
        all(type(part) is torch.nn.Linear and part.bias is None for part in matrices)
        and not any(part._forward_hooks or part._forward_pre_hooks for part in block.modules())
        and all(
            weight.device.type == "cpu" and weight.dtype == torch.float32 and not isinstance(weight, DTensor)
            for weight in block.parameters()
        )
    )


def _block(
    block: Any,
    hidden_states: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    position_ids: torch.Tensor | None = None,
    past_key_values: Any = None,
    use_cache: bool | None = False,
    position_embeddings: Any = None,
    **kwargs: Any,
) -> torch.Tensor:
    """Computes what `Qwen3DecoderLayer.forward` does; states are (rows, tokens, width)."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
    from transformers.models.qwen3.modeling_qwen3 import eager_attention_forward

    attention, mlp, norm = block.self_attn, block.mlp, block.input_layernorm
    sizes = [attention.q_proj.out_features, attention.k_proj.out_features, attention.v_proj.out_features]
    weights = attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight
    together = NormProject.apply(hidden_states, norm.weight, norm.variance_epsilon, *weights)
    heads = [part.unflatten(-1, (-1, attention.head_dim)) for part in together.split(sizes, -1)]
    query, key = (
        NormRotate.apply(part, of.weight, of.variance_epsilon, *position_embeddings).transpose(1, 2)
        for part, of in zip(heads, (attention.q_norm, attention.k_norm), strict=False)
    )
    value = heads[2].transpose(1, 2)
    if past_key_values is not None:
        key, value = past_key_values.update(key, value, attention.layer_idx)
    attend = ALL_ATTENTION_FUNCTIONS.get_interface(attention.config._attn_implementation, eager_attention_forward)
    options = {"scaling": attention.scaling, "sliding_window": attention.sliding_window}
    dropout = attention.attention_dropout if attention.training else 0.0
    mixed, _ = attend(attention, query, key, value, attention_mask, dropout=dropout, **options, **kwargs)
    hidden_states = hidden_states + attention.o_proj(mixed.flatten(2))
    norm = block.post_attention_layernorm
    both = NormProject.apply(
        hidden_states, norm.weight, norm.variance_epsilon, mlp.gate_proj.weight, mlp.up_proj.weight
    )
    gate, up = both.chunk(2, -1)
    return hidden_states + mlp.down_proj(mlp.act_fn(gate) * up)


class NormProject(torch.autograd.Function):
    """An RMS norm (Zhang and Sennrich 2019) and the products of its output with several matrices, side by side.

    The norm's weight is taken into the matrices: (x w) Mᵀ = x (M w)ᵀ, and a matrix is smaller than the states.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, eps: float, *matrices: torch.Tensor) -> torch.Tensor:
        """Returns (..., all outputs of the matrices) of states (..., width)."""
        rows = x.reshape(-1, x.shape[-1])
        scale = _inverse_rms(rows, eps)
        unit, together = rows * scale, torch.cat(matrices)
        ctx.sizes = [len(matrix) for matrix in matrices]
        ctx.save_for_backward(unit, scale, weight, together)
        return (unit @ (together * weight).T).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Returns the gradients of states, weight and matrices."""
        unit, scale, weight, together = ctx.saved_tensors
        rows = grad.reshape(-1, grad.shape[-1])
        of_unit, of_product = rows @ (together * weight), rows.T @ unit
        of_weight = (of_product * together).sum(0)
        along = (of_unit * unit).mean(-1, keepdim=True)
        of_x = of_unit.addcmul_(unit, along, value=-1).mul_(scale)
        return of_x.view(*grad.shape[:-1], -1), of_weight, None, *(of_product * weight).split(ctx.sizes)


class NormRotate(torch.autograd.Function):
    """The RMS norm of each head and its rotary position (Su et al. 2021), for queries or keys."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, eps: float, cos: torch.Tensor, sin: torch.Tensor
    ) -> torch.Tensor:
        """Returns the turned heads, (rows, tokens, heads, head's width) as given; cos and sin are without the heads."""
        half = x.shape[-1] // 2
        sign = torch.ones_like(weight)
        sign[:half] = -1  # the first half gets minus the second: so a roll and a product turn
        cos, sin = cos[:, :, None], (sin * sign)[:, :, None]
        scale = _inverse_rms(x, eps)
        unit = x * scale
        ctx.save_for_backward(unit, scale, weight, cos, sin)
        return (unit * (cos * weight)).addcmul_(unit.roll(half, -1), sin * weight.roll(half))

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Returns the gradients of heads and weight."""
        unit, scale, weight, cos, sin = ctx.saved_tensors
        back = (grad * sin).roll(grad.shape[-1] // 2, -1).addcmul_(grad, cos)
        common = back * unit
        along = (common @ weight)[..., None] / len(weight)
        of_x = back.mul_(weight).addcmul_(unit, along, value=-1).mul_(scale)
        return of_x, common.sum((0, 1, 2)), None, None, None


def _inverse_rms(x: torch.Tensor, eps: float) -> torch.Tensor:
    """Returns (..., 1) of (..., width)."""
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
