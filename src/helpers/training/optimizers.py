"""How is a step made of a gradient? Muon for the matrices inside the blocks, Adam for all else.

Muon (Jordan et al. 2024, 'Muon: an optimizer for hidden layers in neural networks') keeps of a matrix's smoothed
gradient the directions alone: all its singular values are made one, so that rare directions move as far as common ones.
Torch's own `torch.optim.Muon` does that in bfloat16, which many processors only emulate, and one matrix after the
other; this one stays in the precision of the weights and takes all matrices of a shape together.
"""

from collections import defaultdict
from typing import Any

import torch
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim.adamw import adamw

COEFFICIENTS = ((8.0934, -23.6205, 17.4462), (3.6366, -2.7219, 0.5365), (2.6613, -1.9772, 0.4526))
"""Of odd polynomials a x + b x³ + c x⁵, one after the other, that drive singular values towards one.

Each is the best of its degree for what the one before leaves of [0.01, 1] (Amsel et al. 2025, 'The Polar Express'); so
three do what takes four of Jordan's, which is always the same."""

WIDE = 1.5
"""Columns to a row from which on a matrix is better factored by way of its products with itself."""

AVERAGE = 8
"""The power of the average of the weights: those of step i count as i⁸ does, about. So the last tenth of the steps
counts most, however many there were (Shamir and Zhang 2013, polynomial-decay averaging)."""

DECAY = 0.1
"""Of the matrices, times the learning rate, at each step (Loshchilov and Hutter 2019)."""


def parameter_groups(model: Any, muon_rate: float, adam_rate: float) -> list[dict[str, Any]]:
    """Sorts the trained parameters of a model by what steps them, into groups as optimizers of torch take them.

    Muon steps the matrices of the blocks; Adam the embeddings, the output layer, norms and biases. With a rate of 0 for
    Muon, Adam steps all.
    """
    ends = [part for part in model.modules() if isinstance(part, torch.nn.Embedding)]
    if model.get_output_embeddings() is not None:
        ends.append(model.get_output_embeddings())
    outer = {id(parameter) for end in ends for parameter in end.parameters()}
    groups: list[dict[str, Any]] = [
        {"params": [], "lr": muon_rate, "orthogonal": True},
        {"params": [], "lr": adam_rate, "orthogonal": False},
    ]
    for parameter in model.parameters():
        if parameter.requires_grad:
            by_adam = not muon_rate or parameter.ndim != 2 or id(parameter) in outer
            groups[by_adam]["params"].append(parameter)
    return [group for group in groups if group["params"]]


class Muon(torch.optim.Optimizer):
    """Muon for the groups marked `orthogonal`, Adam for the others; one optimizer to save and resume.

    If asked to, it keeps an average of the weights of all steps beside them, which is part of its state.
    """

    def __init__(self, groups: list[dict[str, Any]], averages: bool = False) -> None:
        super().__init__(groups, {"momentum": 0.8, "betas": (0.9, 0.95), "eps": 1e-8, "steps": 0})
        self.averages, self.evaluating = averages, False

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Takes one step; a closure is not supported."""
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            gradients = [parameter.grad for parameter in moved]
            take_step = self._orthogonal_step if group["orthogonal"] else self._adam_step
            take_step(moved, gradients, group)
            if self.averages:
                self._average(moved, group)

    def eval(self) -> None:
        """Puts the average of the weights in their place, where it is kept (the Trainer knows this name)."""
        if not self.evaluating:
            self._exchange()

    def train(self) -> None:
        """Puts the weights back, to go on from them (the Trainer does so before each step)."""
        if self.evaluating:
            self._exchange()

    def _exchange(self) -> None:
        self.evaluating = not self.evaluating
        for parameter, state in self.state.items():
            if "average" in state:
                parameter.data, state["average"] = state["average"], parameter.data

    def _average(self, parameters: list[torch.Tensor], group: dict[str, Any]) -> None:
        group["steps"] += 1
        share = (AVERAGE + 1) / (AVERAGE + group["steps"])  # 1 at the first step
        for parameter in parameters:
            state = self.state[parameter]
            if "average" not in state:
                state["average"] = parameter.clone()
            state["average"].lerp_(parameter, share)

    def _orthogonal_step(
        self, matrices: list[torch.Tensor], gradients: list[torch.Tensor], group: dict[str, Any]
    ) -> None:
        by_shape: dict[tuple[int, ...], list[tuple[torch.Tensor, torch.Tensor]]] = defaultdict(list)
        for matrix, gradient in zip(matrices, gradients, strict=True):
            by_shape[tuple(sorted(matrix.shape))].append((matrix, gradient))
        for alike in by_shape.values():
            # Nesterov's momentum: the mean, and from it one step further along the newest gradient.
            ahead = []
            for matrix, gradient in alike:
                if not self.state[matrix]:
                    self.state[matrix]["mean"] = torch.zeros_like(matrix)
                mean = self.state[matrix]["mean"]
                mean.lerp_(gradient, 1 - group["momentum"])
                ahead.append(_wide(gradient.lerp(mean, group["momentum"])))
            for (matrix, _), direction in zip(alike, orthogonalise(torch.stack(ahead)), strict=True):
                rows, columns = matrix.shape
                update = direction if rows <= columns else direction.T
                if isinstance(matrix, DTensor):
                    update = distribute_tensor(update.contiguous(), matrix.device_mesh, matrix.placements)
                matrix.mul_(1 - group["lr"] * DECAY)
                # A change of the output's root mean square that does not depend on the shape (Jordan et al. 2024).
                matrix.sub_(update, alpha=group["lr"] * max(1, rows / columns) ** 0.5)

    def _adam_step(self, parameters: list[torch.Tensor], gradients: list[torch.Tensor], group: dict[str, Any]) -> None:
        states = [self.state[parameter] for parameter in parameters]
        for parameter, state in zip(parameters, states, strict=True):
            if not state:
                state["step"] = torch.zeros((), device=parameter.device)
                state["mean"] = torch.zeros_like(parameter)
                state["square"] = torch.zeros_like(parameter)
        beta1, beta2 = group["betas"]
        adamw(
            parameters,
            gradients,
            [state["mean"] for state in states],
            [state["square"] for state in states],
            [],
            [state["step"] for state in states],
            fused=not isinstance(parameters[0], DTensor) if parameters else None,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=0.0,
            eps=group["eps"],
            maximize=False,
        )


def _wide(matrix: torch.Tensor) -> torch.Tensor:
    """Returns the matrix whole and with no more rows than columns, so that shapes and their transposes go together."""
    whole = matrix.full_tensor() if isinstance(matrix, DTensor) else matrix
    return whole if whole.shape[0] <= whole.shape[1] else whole.T


def orthogonalise(matrices: torch.Tensor) -> torch.Tensor:
    """Brings the singular values of (n, rows, columns), rows ≤ columns, near one, by products (Jordan et al. 2024).

    Those that were at least a hundredth of the matrix's norm are then between about 0.7 and 1.3, smaller ones about 78
    times as large as before; the singular vectors are unchanged.
    """
    x = matrices / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    gram = x @ x.mT  # (n, rows, rows)
    if x.shape[-1] > WIDE * x.shape[-2]:
        return _factor(gram) @ x
    for step, coefficients in enumerate(COEFFICIENTS):
        gram = x @ x.mT if step else gram
        x = torch.baddbmm(x, _polynomial(gram, *coefficients[1:]), x, beta=coefficients[0])
    return x


def _polynomial(gram: torch.Tensor, b: float, c: float) -> torch.Tensor:
    """Returns b G + c G² of matrices G, (n, rows, rows)."""
    return torch.baddbmm(gram, gram, gram, beta=b, alpha=c)


def _factor(gram: torch.Tensor) -> torch.Tensor:
    """Returns the (n, rows, rows) by which to multiply wide matrices of these products with themselves: less to do."""
    whole = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    for a, b, c in COEFFICIENTS:
        factor = _polynomial(gram, b, c)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        whole = factor @ whole
        gram = factor @ gram @ factor
    return whole
