"""The four tasks must give each kind of model what it is due: oracles of both kinds, and one that knows nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from datasets import Dataset

from helpers import models, tokenization
from helpers.evaluation import context, gaps, objective_tasks, probes
from helpers.evaluation.baselines import NGramModel
from helpers.evaluation.likelihood import HeldOut, row_bits
from helpers.generation import sample_by_filling
from helpers.profiles import load_profile
from helpers.records import Record

TEXTS = [f"The mill by river {i} is old and the wheel turns at night." for i in range(12)]


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_tokenizer(TEXTS, vocab_size=320)


@pytest.fixture(scope="module")
def profile():
    return load_profile("smoke", vocab_size=320)


@pytest.fixture(scope="module")
def held():
    return HeldOut(TEXTS, [str(i) for i in range(12)])


class Successor:
    """Believes that after token t comes t + 1, and that a hidden token is one more than its left neighbour."""

    device = torch.device("cpu")

    def __init__(self, both_ways):
        sizes = SimpleNamespace(vocab_size=400)
        self.config = SimpleNamespace(is_causal=not both_ways, get_text_config=lambda: sizes)

    def __call__(self, input_ids, **_):
        before = torch.roll(input_ids, 1, dims=1) if not self.config.is_causal else input_ids
        return SimpleNamespace(logits=20.0 * torch.nn.functional.one_hot((before + 1) % 400, 400).float())


@pytest.mark.parametrize("both_ways", [False, True])
def test_one_who_knows_fills_each_gap_and_one_who_is_wrong_none(both_ways):
    counting = [gaps.Gap([0, 50, 51], 52, [53, 54], "a"), gaps.Gap([0, 70], 71, [72, 73, 74], "b")]
    other = [gaps.Gap([0, 50, 51], 99, [100, 101], "a")]
    model = Successor(both_ways)
    assert gaps.fills_from_left(model, counting, mask_token_id=3).tolist() == [True, True]
    assert gaps.fills_from_both(model, counting, mask_token_id=3).tolist() == [True, True]
    assert not gaps.fills_from_left(model, other, mask_token_id=3).any()


def test_gaps_are_taken_from_inside_texts_and_put_together_give_the_text(held, tokenizer):
    drawn = gaps.draw_gaps(held, tokenizer, 30, seed=0)
    assert len(drawn) == 30
    encoded = dict(zip(held.groups, tokenization.encode_documents(tokenizer, TEXTS), strict=True))
    for gap in drawn:
        whole = encoded[gap.group]
        assert [*gap.left, gap.token, *gap.right] == whole[: len(gap.left) + 1 + len(gap.right)]
        assert gap.token != tokenizer.eos_token_id


def test_the_model_that_looks_back_is_not_shown_the_right_side(profile, tokenizer, held):
    model = models.causal_model(profile, tokenizer, seed=0).eval()
    drawn = gaps.draw_gaps(held, tokenizer, 10, seed=0)
    blind = [gaps.Gap(gap.left, gap.token, [], gap.group) for gap in drawn]
    mask = tokenizer.mask_token_id
    assert np.array_equal(gaps.fills_from_left(model, drawn, mask), gaps.fills_from_left(model, blind, mask))


def test_rows_of_any_length_cost_what_they_cost_alone(profile, tokenizer):
    model = models.causal_model(profile, tokenizer, seed=0).eval()
    rows = tokenization.encode_documents(tokenizer, ["A mill.", *TEXTS[:2]])
    for row, bits in zip(rows, row_bits(model, rows), strict=True):
        assert len(bits) == len(row) - 1
        assert bits == pytest.approx(row_bits(model, [row])[0], rel=1e-4)


def test_filling_writes_as_many_tokens_as_asked_and_repeats_by_seed(profile, tokenizer):
    model = models.masked_model(profile, tokenizer, seed=0).eval()
    before = torch.random.get_rng_state()
    first = sample_by_filling(model, tokenizer, 3, 8, seed=5)
    assert first == sample_by_filling(model, tokenizer, 3, 8, seed=5)
    assert first != sample_by_filling(model, tokenizer, 3, 8, seed=6)
    assert len(first) == 3
    assert torch.equal(before, torch.random.get_rng_state())


def test_documents_for_the_probe_are_balanced_and_of_known_origin():
    groups = [
        f"{origin}.m{i % 6}" for origin in ("torch", "numpy", "rare") for i in range(20 if origin != "rare" else 2)
    ]
    documents = Dataset.from_dict({"text": [f"text {i}" for i in range(len(groups))], "group": groups})
    texts, labels, of = probes.labelled(documents, 6, 10, seed=0)
    assert {label: labels.count(label) for label in set(labels)} == {"torch": 10, "numpy": 10}
    assert len(texts) == len(of) == 20
    assert probes.labelled(documents.select(range(20)), 6, 10, seed=0) == ([], [], [])


def test_the_probe_reads_what_is_there_and_no_more():
    rng = np.random.default_rng(0)
    labels = ["a", "b"] * 60
    groups = [f"{label}{i // 12}" for i, label in enumerate(labels)]
    told = rng.normal(size=(120, 4)) + 4 * (np.array(labels) == "a")[:, None]
    assert probes.probe(told, labels, groups).mean() > 0.95
    assert probes.probe(rng.normal(size=(120, 4)), labels, groups).mean() == pytest.approx(0.5, abs=0.15)


def test_features_are_the_means_of_all_layers_states(profile, tokenizer):
    for make in (models.causal_model, models.masked_model):
        inner = models.mean_states(
            make(profile, tokenizer, seed=0).eval(), tokenization.encode_documents(tokenizer, TEXTS[:3])
        )
        assert [layer.shape for layer in inner] == [(3, profile.hidden_size)] * (profile.n_layer + 1)


class Counter(Successor):
    """Knows a token only by the one that stands exactly `back` places before it, and adds `back`."""

    def __init__(self, back):
        super().__init__(both_ways=False)
        self.back = back

    def __call__(self, input_ids, **_):
        known = torch.roll(input_ids, self.back - 1, dims=1)
        logits = 5.0 * torch.nn.functional.one_hot((known + self.back) % 400, 400).float()
        logits[:, : self.back - 1] = 0  # it has not seen so far
        return SimpleNamespace(logits=logits)


def test_more_context_gains_what_lies_in_it_and_nothing_for_a_short_memory(profile):
    places = [context.Place(list(range(100 + i, 130 + i)), 130 + i, str(i)) for i in range(6)]
    ngram = NGramModel(5, 400).fit([[0, *range(100, 140), 1]])
    gains = {}
    for back in (2, 20):
        record = Record("01_pretraining", profile)
        context.measure_context(record, Counter(back), ngram, places, (4, 30), seed=0)
        gains[back] = record.measurements["context: gain.our model"]
        five = [record.measurements[f"context: {shown} tokens shown.5-gram"].value for shown in (4, 30)]
        assert five[0] == pytest.approx(five[1])
    assert gains[2].value == 0
    assert gains[20].value < -3
    assert gains[20].interval.high < 0
    alone = Record("01_pretraining", profile)
    assert context.measure_context(alone, Counter(2), ngram, places[:1], (4, 30), seed=0) is None
    assert not alone.measurements


def test_places_have_as_much_before_them_as_promised(held, tokenizer):
    places = context.draw_places(held, tokenizer, 6, 30, seed=0)
    assert 24 <= len(places) <= 48
    assert {len(place.before) for place in places} == {6}
    assert context.draw_places(held, tokenizer, 500, 30, seed=0) == []


def test_the_right_side_rescues_a_second_guess():
    class Unsure(Successor):
        """Likes t + 2 a little better than t + 1 after t, but after t + 2 it expects t + 9."""

        def __call__(self, input_ids, **_):
            one_hot = torch.nn.functional.one_hot
            return SimpleNamespace(
                logits=6.0 * one_hot((input_ids + 2) % 400, 400).float() + 5.5 * one_hot((input_ids + 1) % 400, 400)
            )

    gap = gaps.Gap([0, 50], 51, [52, 53, 54], "a")
    model = Unsure(both_ways=False)
    assert not gaps.fills_from_left(model, [gap], 3).any()
    assert gaps.fills_from_both(model, [gap], 3).all()


def test_both_kinds_of_model_and_their_baselines_do_the_same_tasks(profile, tokenizer):
    documents = {
        "text": [f"The mill by river {i} is old and the wheel turns at night." for i in range(40)],
        "group": [f"{'ab'[i % 2]}.m{i // 2}" for i in range(40)],
    }
    corpora = {"pydocs": SimpleNamespace(splits={"test": Dataset.from_dict(documents)})}
    judge = NGramModel(5, len(tokenizer)).fit(tokenization.encode_documents(tokenizer, documents["text"]))
    drawn = objective_tasks.draw_objective_tasks(corpora, {"pydocs": 40}, tokenizer, judge, profile, seed=3)
    for make in (models.causal_model, models.masked_model):
        results = drawn.evaluate(make(profile, tokenizer, seed=0).eval(), tokenizer, "mine")
        assert [result.task for result in results] == list(objective_tasks.UNITS)
        assert {(result.method, result.seed) for result in results} == {("mine", 3)}
    found = drawn.baselines(models.causal_model(profile, tokenizer, seed=0).eval(), tokenizer)
    values = {(result.task, result.method): result.value for result in found}
    assert values[objective_tasks.CONTINUING, "5-gram"] > 0.5
    assert values[objective_tasks.FILLING, "5-gram"] >= values[objective_tasks.FILLING, "untrained"]
    assert values[objective_tasks.FEATURES, "chance"] == 0.5
    assert values[objective_tasks.WRITING, "untrained"] > 3
