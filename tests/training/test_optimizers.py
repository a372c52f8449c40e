"""Muon must turn a gradient into directions alone, sort the parameters rightly, and keep its state through a save."""

import copy

import pytest
import torch
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

from helpers import models, tokenization
from helpers.profiles import load_profile
from helpers.training.finetuning import Classifier
from helpers.training.optimizers import Muon, orthogonalise, parameter_groups


@pytest.fixture(scope="module")
def model():
    profile = load_profile("smoke", vocab_size=320)
    tokenizer = tokenization.train_tokenizer(["A mill by the river."] * 9, vocab_size=320)
    return models.causal_model(profile, tokenizer, seed=0)


def test_all_singular_values_come_near_one_and_the_singular_vectors_stay():
    torch.manual_seed(0)
    left, right = torch.linalg.qr(torch.randn(3, 24, 24))[0], torch.linalg.qr(torch.randn(3, 60, 24))[0].mT
    spread = torch.logspace(0, -1, 24)
    directions = orthogonalise(left * spread @ right)  # (3, 24, 60)
    within = left.mT @ directions @ right.mT  # diagonal if the vectors are the same
    values = within.diagonal(dim1=-2, dim2=-1)
    assert (values > 0.6).all()
    assert (values < 1.3).all()
    assert torch.allclose(within, torch.diag_embed(values), atol=1e-4)


def test_matrices_inside_the_blocks_are_muons_and_all_else_is_adams(model):
    inner, rest = parameter_groups(model, 0.04, 0.01)
    assert inner["orthogonal"]
    assert not rest["orthogonal"]
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert all(".layers." in names[id(matrix)] and matrix.ndim == 2 for matrix in inner["params"])
    left = {names[id(parameter)] for parameter in rest["params"]}
    assert all("norm" in name or "embed" in name for name in left)
    assert len(inner["params"]) + len(left) == len(names)


def sorted_by_name(model):
    """Returns the names of what Muon moves and of what Adam moves."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = {group["orthogonal"]: group for group in parameter_groups(model, 0.04, 0.01)}
    assert (groups[True]["lr"], groups[False]["lr"]) == (0.04, 0.01)
    found = [{names[id(parameter)] for parameter in groups[orthogonal]["params"]} for orthogonal in (True, False)]
    assert not found[0] & found[1]
    assert found[0] | found[1] == set(names.values())
    return found


def test_of_an_encoder_all_tables_and_of_a_classifier_the_head_are_adams():
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    encoder = BertModel(BertConfig(vocab_size=50, max_position_embeddings=32, **sizes))
    inner, rest = sorted_by_name(Classifier(encoder, ["a", "b"]))
    tables = {f"backbone.embeddings.{kind}_embeddings.weight" for kind in ("word", "position", "token_type")}
    assert tables | {"head.weight", "head.bias"} <= rest
    blocks = {
        f"backbone.{name}" for name, weight in encoder.named_parameters() if ".layer." in name and weight.ndim > 1
    }
    assert len(blocks) == 2 * 6
    assert blocks <= inner
    assert not any("embeddings" in name or name.endswith("bias") or "LayerNorm" in name for name in inner)


def test_of_a_decoder_like_gpt_positions_are_adams_and_its_matrices_are_muons():
    decoder = GPT2Model(GPT2Config(vocab_size=50, n_positions=32, n_embd=32, n_layer=2, n_head=2))
    inner, rest = sorted_by_name(Classifier(decoder, ["a", "b"]))
    assert {"backbone.wte.weight", "backbone.wpe.weight", "head.weight"} <= rest
    kinds = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    assert inner == {f"backbone.h.{block}.{kind}.weight" for block in range(2) for kind in kinds}


def test_frozen_parameters_are_in_no_group(model):
    model.requires_grad_(False)
    try:
        assert parameter_groups(model, 0.04, 0.01) == []
    finally:
        model.requires_grad_(True)


def test_what_adam_steps_moves_as_with_torchs_own_adamw():
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(5)) for _ in range(2))
    optimizers = [
        Muon([{"params": [ours], "lr": 0.01, "orthogonal": False}]),
        torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    for _ in range(20):
        gradient = torch.randn(5)
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    assert torch.allclose(ours, theirs, atol=1e-7)


def test_a_matrix_and_its_transpose_make_the_same_step_up_to_the_scale_of_their_shape():
    torch.manual_seed(0)
    gradient = torch.randn(8, 20)
    moved = {}
    for rows, columns in ((8, 20), (20, 8)):
        matrix = torch.nn.Parameter(torch.zeros(rows, columns))
        matrix.grad = gradient if rows == 8 else gradient.T.clone()
        Muon([{"params": [matrix], "lr": 0.1, "orthogonal": True}]).step()
        moved[rows] = matrix.detach()
    assert torch.allclose(moved[20], moved[8].T * (20 / 8) ** 0.5, atol=1e-6)


def test_a_step_after_loading_the_state_is_the_step_without():
    def optimizer_of(parameter):
        return Muon([{"params": [parameter], "lr": 0.1, "orthogonal": True}])

    torch.manual_seed(0)
    gradients = torch.randn(3, 6, 9)
    straight = torch.nn.Parameter(torch.zeros(6, 9))
    first = optimizer_of(straight)
    for gradient in gradients[:2]:
        straight.grad = gradient
        first.step()
    resumed = torch.nn.Parameter(straight.detach().clone())
    second = optimizer_of(resumed)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for parameter, optimizer in ((straight, first), (resumed, second)):
        parameter.grad = gradients[2]
        optimizer.step()
    assert torch.equal(straight, resumed)


def averaging(parameters, steps):
    """Steps parameters so many times, and returns the optimizer, which averages, and the weights after each step."""
    kinds = zip(parameters, (True, False), strict=True)
    groups = [{"params": [parameter], "lr": 0.1, "orthogonal": orthogonal} for parameter, orthogonal in kinds]
    optimizer = Muon(groups, averages=True)
    return optimizer, [walk(optimizer, parameters) for _ in range(steps)]


def walk(optimizer, parameters):
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    return [parameter.detach().clone() for parameter in parameters]


def test_the_average_of_the_weights_is_shown_in_evaluation_and_weighs_late_steps_most():
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(4, 6)), torch.nn.Parameter(torch.randn(5))]
    optimizer, seen = averaging(parameters, steps=30)
    steps = torch.arange(1, 31, dtype=torch.float64)
    shares = torch.exp(torch.lgamma(steps + 8) - torch.lgamma(steps))  # i (i + 1) … (i + 7), as i⁸ in the long run
    shares = (shares / shares.sum()).float()
    optimizer.eval()
    for place, parameter in enumerate(parameters):
        expected = sum(share * weights[place] for share, weights in zip(shares, seen, strict=True))
        assert torch.allclose(parameter, expected, atol=1e-5)
    optimizer.train()
    for parameter, last in zip(parameters, seen[-1], strict=True):
        assert torch.equal(parameter, last)


def test_an_average_goes_on_after_loading_the_state():
    torch.manual_seed(0)
    straight = [torch.nn.Parameter(torch.randn(4, 6)), torch.nn.Parameter(torch.randn(5))]
    first, _ = averaging(straight, steps=5)
    resumed = [torch.nn.Parameter(parameter.detach().clone()) for parameter in straight]
    second, _ = averaging(resumed, steps=0)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for optimizer, parameters in ((first, straight), (second, resumed)):
        torch.manual_seed(1)
        walk(optimizer, parameters)
        optimizer.eval()
    for one, other in zip(straight, resumed, strict=True):
        assert torch.equal(one, other)
