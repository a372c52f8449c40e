"""A score is that of its definition, whatever else is scored with it, and whatever kind of model scores."""

import math

import backbones
import numpy as np
import pytest
import torch
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForMaskedLM

from helpers import models, tokenization
from helpers.evaluation import scoring
from helpers.evaluation.scoring import (
    MaskedRequest,
    Request,
    encode_requests,
    log_likelihoods,
    shared_places,
    token_log_likelihoods,
    token_pseudo_log_likelihoods,
)
from helpers.files import WorkbookError
from helpers.pretrained import load_model
from helpers.profiles import load_profile

CAUSAL = [
    "gpt2",
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma",
    "gpt_neox",
    "gptj",
    "gpt_neo",
    "opt",
    "phi",
    "bloom",
    "falcon",
    "mamba",
]
READ_TREES = [kind for kind in CAUSAL if kind not in ("bloom", "mamba")]
MASKED = ["bert", "distilbert", "roberta", "albert"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture(scope="module")
def load(folder):
    def opened(kind, **sizes):
        path = folder / "-".join([kind, *map(str, sizes.values())])
        if not path.exists():
            backbones.save_kind(kind, path, **sizes)
        return load_model(path)

    return opened


def requests():
    """Pairs that share a beginning, a preamble before rows of questions, one long text, repeats, and nothing."""
    draw = np.random.default_rng(0)

    def text(length):
        return draw.integers(3, 300, length).tolist()

    pairs = [[*start, token, *text(5)] for start in [[7, *text(n)] for n in range(9)] for token in (11, 12)]
    preamble, asked = text(40), [text(6) for _ in range(8)]
    answered = [([*preamble, *question], text(length)) for question in asked for length in (1, 4, 7)]
    found = [Request(ids, len(ids) - 1) for ids in [*pairs, text(100), pairs[3], pairs[3][:-2]]]
    found += [Request([*before, *after], len(after)) for before, after in answered]
    return [*found, Request([5], 0), Request([9, 4], 1)]


@torch.inference_mode()
def alone(model, request):
    """Scores a request by its definition."""
    if not request.scored:
        return np.empty(0)
    table = model(input_ids=torch.tensor([request.ids]), use_cache=False).logits[0].double().log_softmax(-1)
    first = len(request.ids) - request.scored
    return np.array([table[at - 1, request.ids[at]].item() for at in range(first, len(request.ids))])


@pytest.mark.parametrize("kind", CAUSAL)
def test_together_scores_are_what_they_are_alone(load, kind):
    model, _ = load(kind)
    asked = requests()
    for found, request in zip(token_log_likelihoods(model, asked), asked, strict=True):
        assert found.dtype == np.float64
        assert found == pytest.approx(alone(model, request), abs=1e-5)


@pytest.mark.parametrize("kind", CAUSAL)
def test_texts_of_nearly_the_whole_context_share_no_row_that_the_model_cannot_hold(load, kind):
    model, _ = load(kind, **({"max_position_embeddings": 128, "window_size": 256} if kind == "gpt_neo" else {}))
    begin, draw = list(range(3, 23)), np.random.default_rng(0)
    asked = [Request([*begin, *draw.integers(3, 300, 90).tolist()], 4) for _ in range(6)]
    for found, request in zip(token_log_likelihoods(model, asked), asked, strict=True):
        assert found == pytest.approx(alone(model, request), abs=1e-5)


@pytest.mark.parametrize("kind", CAUSAL)
def test_trees_are_read_by_those_that_can(load, kind):
    with torch.inference_mode():
        assert scoring._reads_trees(load(kind)[0], 128) == (kind in READ_TREES)


def test_a_model_that_sees_only_so_far_back_reads_texts_one_by_one(load):
    model, _ = load("mistral", sliding_window=16)
    asked = requests()
    for found, request in zip(token_log_likelihoods(model, asked), asked, strict=True):
        assert found == pytest.approx(alone(model, request), abs=1e-5)


def test_what_requests_share_is_read_once(load):
    model, _ = load("llama")
    read = []
    model.get_input_embeddings().register_forward_hook(lambda module, given, states: read.append(given[0].numel()))
    preamble = list(range(3, 83))
    asked = [Request([*preamble, a, b, 5], 1) for a in range(100, 150) for b in range(200, 204)]
    scores = log_likelihoods(model, asked)
    assert sum(read) < len(preamble) + 50 * (1 + 4) + 200  # some more are read to try out, and to fill up rows
    assert scores == pytest.approx([alone(model, request).sum() for request in asked], abs=1e-5)


def test_equal_requests_tie_exactly_wherever_they_stand(load):
    model, _ = load("qwen3")
    asked = requests()
    scores = log_likelihoods(model, [*asked, *reversed(asked)])
    assert np.array_equal(scores, scores[::-1])


def test_a_model_that_knows_nothing_gives_each_token_the_same(load):
    model, _ = load("llama")
    model.lm_head.weight.data.zero_()
    found = np.concatenate(token_log_likelihoods(model, requests()))
    assert found == pytest.approx(-math.log(320), abs=1e-6)
    assert log_likelihoods(model, []).shape == (0,)


def test_bfloat16_sums_in_float32(load):
    model, _ = load("llama")
    asked = requests()[:12]
    whole, half = log_likelihoods(model, asked), log_likelihoods(model.to(torch.bfloat16), asked)
    assert half == pytest.approx(whole, rel=0.02)
    assert not np.array_equal(half, half.astype(np.float16))


def test_a_request_longer_than_the_context_is_refused(load):
    model, _ = load("llama")  # it reads 128 tokens
    assert len(token_log_likelihoods(model, [Request([5] * 129, 128)])[0]) == 128
    with pytest.raises(WorkbookError, match="Request 2: 129 tokens are to be read, and the model reads 128 at most"):
        token_log_likelihoods(model, [Request([5, 6], 1), Request([5] * 130, 1)])


@pytest.fixture(scope="module")
def ends():
    """Its begin token is its end token, and it adds none by itself."""
    return backbones.bpe("end")


def test_spaces_between_go_to_the_continuation(ends):
    first, second = encode_requests(ends, [("The old mill ", "stands"), ("The old mill", " stands")], 99)
    assert first == second
    assert ends.decode(first.ids[-first.scored :]) == " stands"
    assert ends.decode(first.ids) == "The old mill stands"


def test_where_nothing_is_given_a_text_follows_the_begin_token_once(ends):
    plain, begun, blank = encode_requests(ends, [("", "A wheel"), ("", "<|endoftext|>A wheel"), ("  ", "A wheel")], 99)
    assert plain == begun
    assert plain.ids[0] == ends.bos_token_id
    assert plain.scored == len(plain.ids) - 1
    assert ends.decode(blank.ids[1:]) == "  A wheel"
    without = backbones.bpe("none")
    (request,) = encode_requests(without, [("", "A wheel")], 99)
    assert without.decode(request.ids) == "A wheel"
    assert request.scored == len(request.ids) - 1


def test_a_tokenizer_that_begins_texts_by_itself_begins_them_once():
    tokenizer = backbones.bpe("begin end")
    special = [("<s>", tokenizer.bos_token_id)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=special)
    given, named, free = encode_requests(tokenizer, [("The mill", " by"), ("<s>The mill", " by"), ("", "The mill")], 99)
    assert given == named
    assert given.ids.count(tokenizer.bos_token_id) == free.ids.count(tokenizer.bos_token_id) == 1


def test_a_token_across_the_border_is_given_as_far_as_what_is_given_has_tokens(ends):
    (request,) = encode_requests(ends, [("The old m", "ill stands")], 99)
    given, whole = ends("The old m")["input_ids"], ends("The old mill stands")["input_ids"]
    assert given != whole[: len(given)]
    assert request == Request([*given, *whole[len(given) :]], len(whole) - len(given))


def test_what_is_given_loses_its_beginning_and_it_is_said(ends):
    given, answer = "The old mill stands by the river. " * 9, "A wheel turns at night."
    whole, cut = (encode_requests(ends, [(given, answer)], context)[0] for context in (999, 32))
    assert (whole.cut, cut.cut) == (0, len(whole.ids) - 33)
    assert (cut.ids, cut.scored) == (whole.ids[-33:], whole.scored)


@pytest.mark.parametrize("pair", [("The mill", ""), ("", ""), ("", "<|endoftext|>"), ("The mill", " turns" * 40)])
def test_continuations_that_are_empty_or_too_long_are_refused(ends, pair):
    with pytest.raises(WorkbookError, match=r"Request 2: its continuation has [0-9]+ tokens, and must have 1 to 32"):
        encode_requests(ends, [("The mill", " turns"), pair], 32)


def hidden_one_by_one(model, ids, places, mask_token_id):
    """Scores hidden tokens by their definition, in a loop."""
    found = []
    for place in places:
        shown = torch.tensor([[mask_token_id if at == place else token for at, token in enumerate(ids)]])
        mask = models.full_attention_mask(shown) if models.is_bidirectional(model) else None
        with torch.inference_mode():
            logits = model(input_ids=shown, attention_mask=mask).logits
        found.append(logits[0, place].double().log_softmax(-1)[ids[place]].item())
    return found


@pytest.mark.parametrize("kind", [*MASKED, "own"])
def test_hidden_tokens_get_what_a_loop_gives_them(folder, kind):
    if kind == "own":
        tokenizer = tokenization.train_tokenizer(backbones.TEXTS, 320)
        model = models.masked_model(load_profile("smoke", context=64), tokenizer, seed=0).eval()
    else:
        backbones.save_kind(kind, folder / kind)
        model = AutoModelForMaskedLM.from_pretrained(folder / kind).eval()
    draw = np.random.default_rng(0)
    texts = [draw.integers(3, 300, length).tolist() for length in (3, 9, 9, 20, 31)]
    asked = [MaskedRequest(ids, list(range(1, len(ids) - 1))) for ids in texts] + [MaskedRequest([4, 5], [])]
    found = token_pseudo_log_likelihoods(model, asked, mask_token_id=2)
    for nats, request in zip(found, asked, strict=True):
        assert nats == pytest.approx(hidden_one_by_one(model, *request, 2), abs=1e-5)
    with pytest.raises(WorkbookError, match="Request 1: 999 tokens"):
        token_pseudo_log_likelihoods(model, [MaskedRequest([4] * 999, [1])], mask_token_id=2)


def test_shared_tokens_are_those_of_both_sentences_but_for_begin_and_end():
    one, other = [0, 5, 6, 7, 8, 1], [0, 5, 9, 9, 7, 8, 1]
    assert shared_places(one, other) == ([1, 3, 4], [1, 4, 5])
    assert shared_places(one, one) == ([1, 2, 3, 4], [1, 2, 3, 4])
    assert shared_places([0, 5, 1], [0, 6, 1]) == ([], [])


def test_an_oracle_is_certain(load):
    model, _ = load("llama")

    class Oracle(torch.nn.Module):
        """Knows that each token is followed by the next number."""

        def forward(self, states):
            return torch.nn.functional.one_hot(self.ids + 1, 320).float()[None] * 100

    oracle = Oracle()
    model.lm_head = oracle
    table = model.get_input_embeddings().weight
    model.model.norm = torch.nn.Identity()
    model.model.layers = torch.nn.ModuleList()

    def look_up(_module, given):
        oracle.ids = torch.cdist(given[0][0], table).argmin(-1)

    oracle.register_forward_pre_hook(look_up)
    right, wrong = log_likelihoods(model, [Request([4, 5, 6, 7], 3), Request([4, 5, 6, 8], 3)])
    assert right == pytest.approx(0, abs=1e-6)
    assert wrong == pytest.approx(-100, abs=1e-4)
