"""Every way to learn must work on every kind of model, train what it says and nothing else, and survive being saved."""

import math

import numpy as np
import pytest
import torch
from backbones import SAVED
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers import AutoModel

from helpers import models, pretrained
from helpers.files import WorkbookError
from helpers.training import finetuning
from helpers.training.finetuning import ARMS, FROZEN, FULL, LAST, LORA, SCRATCH, Classifier

pytestmark = pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning")

LABELS = ["zebra", "apple"]  # not in alphabetical order
WRITING = ["own", "GPT-2"]


def sentences(count, begin=0):
    """Returns texts of several lengths, of which every second says alpha and the others omega."""
    words = ["mill", "river", "wheel", "night", "old"]
    return [
        " ".join(["the", *words[i % 5 : i % 7], ("alpha", "omega")[i % 2], words[i % 3]])
        for i in range(begin, begin + count)
    ]


TEXTS = sentences(24)
CLASSES = [i % 2 for i in range(24)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    top = tmp_path_factory.mktemp("models")
    for name, save in SAVED.items():
        save(top / name)
    return top


@pytest.fixture(scope="module")
def start(folder):
    """Gives a backbone and its tokenizer by the name of their type."""
    opened = {name: pretrained.load_backbone(folder / name) for name in SAVED}
    return opened.__getitem__


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(finetuning, "FEWEST_STEPS", 4)


@pytest.fixture(scope="module")
def taught(start):
    """Teaches a type of model in an arm, once, in a few steps; returns the classifier, its cost and the rows."""
    known = {}

    def teach(name, arm):
        if (name, arm) not in known:
            backbone, tokenizer = start(name)
            rows = finetuning.encode_texts(tokenizer, TEXTS, backbone)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(finetuning, "FEWEST_STEPS", 4)
                known[name, arm] = *finetuning.finetune_classifier(backbone, rows, CLASSES, LABELS, arm, seed=3), rows
        return known[name, arm]

    return teach


def changed(before, after):
    """Returns the names of the weights that are not the same to the bit."""
    old, new = before.state_dict(), after.state_dict()
    assert old.keys() == new.keys()
    return {name for name in old if not torch.equal(old[name].cpu(), new[name].cpu())}


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_teaches_every_model_and_leaves_the_given_one_as_it_was(start, folder, taught, name, arm):
    classifier, cost, rows = taught(name, arm)
    found = finetuning.predict(classifier, rows)
    assert found.shape == (24, 2)
    assert np.abs(found.sum(1) - 1).max() < 1e-6
    assert np.abs(found - 0.5).max() > 1e-3  # it has learned something
    assert not classifier.training
    assert cost.trained > 0
    assert cost.tokens % sum(map(len, rows)) == 0
    assert (cost.steps == 0) == (arm == FROZEN)
    assert (cost.state_bytes == 0) == (arm == FROZEN)
    fresh, _ = pretrained.load_backbone(folder / name)
    assert not changed(fresh, start(name)[0])


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("arm", ARMS)
def test_a_prediction_does_not_depend_on_the_longer_text_beside(start, taught, name, arm):
    classifier, _, _ = taught(name, arm)
    backbone, tokenizer = start(name)
    short, long = finetuning.encode_texts(tokenizer, ["the mill", " ".join(["alpha omega river"] * 6)], backbone)
    assert len(long) > 2 * len(short)
    alone, beside = finetuning.predict(classifier, [short])[0], finetuning.predict(classifier, [short, long])[0]
    assert alone == pytest.approx(beside, abs=1e-5)


@pytest.mark.parametrize("name", SAVED)
def test_frozen_trains_no_weight_of_the_model(start, taught, name):
    classifier, cost, _ = taught(name, FROZEN)
    assert not changed(start(name)[0], classifier.backbone)
    assert cost.trained == 2 * 32 + 2


@pytest.mark.parametrize("name", SAVED)
def test_the_last_block_moves_alone(start, taught, name):
    backbone, _ = start(name)
    classifier, cost, _ = taught(name, LAST)
    parts = {id(parameter): name for name, parameter in backbone.named_parameters()}
    last = {parts[id(parameter)] for parameter in models.blocks(backbone)[-1].parameters()}
    trained = changed(backbone, classifier.backbone)
    assert trained
    assert trained <= last
    assert cost.trained == 2 * 32 + 2 + sum(p.numel() for p in models.blocks(backbone)[-1].parameters())


@pytest.mark.parametrize("name", SAVED)
def test_lora_begins_as_the_model_itself(start, name):
    backbone, tokenizer = start(name)
    rows = finetuning.encode_texts(tokenizer, TEXTS[:4], backbone)
    adapted = finetuning.prepare(backbone, LORA, seed=1)
    assert all(map(np.array_equal, models.mean_states(adapted, rows), models.mean_states(backbone, rows)))


@pytest.mark.parametrize("name", SAVED)
def test_lora_trains_only_its_matrices_and_the_head_and_can_be_added_into_the_weights(start, taught, name):
    classifier, cost, rows = taught(name, LORA)
    backbone, _ = start(name)
    adapters = {part: p for part, p in classifier.backbone.named_parameters() if "lora_" in part}
    head = sum(p.numel() for p in classifier.head.parameters())
    asked = [p for part, p in adapters.items() if "pooler" not in part]  # BERT's pooler comes after the states we read
    assert cost.trained == head + sum(p.numel() for p in asked)
    assert cost.trained < backbone.num_parameters() / 2
    original = backbone.state_dict()
    for part, weight in classifier.backbone.state_dict().items():
        if part not in adapters:
            name = part.removeprefix("base_model.model.").replace(".base_layer", "")
            assert torch.equal(weight.cpu(), original[name])
    before = finetuning.predict(classifier, rows)
    merged = finetuning.merge(classifier)
    assert type(merged.backbone) is type(backbone)
    assert changed(backbone, merged.backbone)
    assert finetuning.predict(merged, rows) == pytest.approx(before, abs=1e-5)
    assert np.array_equal(finetuning.predict(classifier, rows), before)  # merging has not changed it


@pytest.mark.parametrize("arm", [FROZEN, LAST, FULL])
def test_where_there_is_nothing_to_merge_the_classifier_stays_itself(taught, arm):
    classifier, _, _ = taught("own", arm)
    assert finetuning.merge(classifier) is classifier


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("labels", [("b", "a"), ("c", "b", "a")])
def test_a_new_classifier_favours_no_label(start, name, labels):
    backbone, tokenizer = start(name)
    classifier = Classifier(backbone, labels).eval()
    rows = finetuning.encode_texts(tokenizer, TEXTS[:5], backbone)
    assert finetuning.predict(classifier, rows) == pytest.approx(1 / len(labels))
    given = classifier(*models.padded(rows, torch.device("cpu")), labels=torch.arange(5) % len(labels))
    assert given["loss"].item() == pytest.approx(math.log(len(labels)))
    assert given["logits"].shape == (5, len(labels))


@pytest.mark.parametrize("count", [2, 3])
def test_the_frozen_head_is_scikit_learns_logistic_regression_on_standardised_states(start, count):
    backbone, tokenizer = start("own")
    rows = finetuning.encode_texts(tokenizer, sentences(60), backbone)
    classes = np.random.default_rng(0).integers(count, size=60)
    inner = models.mean_states(backbone, rows)[-1]
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=finetuning.PENALTY, max_iter=1000))
    expected = theirs.fit(inner.astype(float), classes).predict_proba(inner.astype(float))
    for known in (None, inner):
        ours, _ = finetuning.finetune_classifier(backbone, rows, classes, "abc"[:count], FROZEN, seed=0, inner=known)
        found = finetuning.predict(ours, rows)
        assert found == pytest.approx(expected, abs=2e-3)
        assert np.array_equal(found.argmax(1), expected.argmax(1))
    assert len(set(expected.argmax(1))) == count


@pytest.mark.parametrize("count", [2, 3])
def test_a_linear_fit_gives_each_class_its_weights_for_the_states_as_they_are(count):
    rng = np.random.default_rng(0)
    inner = rng.normal(size=(90, 5)) * [1, 10, 100, 0.1, 0] + [0, 5, -50, 3, 7]  # the last one says nothing
    classes = np.arange(90) % count
    inner[:, 2] += 400 * (classes == 1)
    weight, bias = finetuning.fit_linear(inner, classes)
    assert (weight.shape, bias.shape) == ((count, 5), (count,))
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=finetuning.PENALTY, max_iter=1000))
    expected = theirs.fit(inner, classes).predict_proba(inner)
    logits = inner @ weight.T + bias
    odds = np.exp(logits - logits.max(1, keepdims=True))
    assert odds / odds.sum(1, keepdims=True) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", SAVED)
def test_how_far_each_part_has_gone_is_told_part_by_part(start, taught, name):
    backbone, _ = start(name)
    gone = {arm: finetuning.moved(taught(name, arm)[0], backbone) for arm in ARMS}
    assert {tuple(parts) for parts in gone.values()} == {("embeddings", "block 1", "block 2")}
    assert set(gone[FROZEN].values()) == {0}
    assert gone[LAST]["embeddings"] == gone[LAST]["block 1"] == 0 < gone[LAST]["block 2"] < 1
    assert gone[LORA]["embeddings"] == 0 < min(gone[LORA]["block 1"], gone[LORA]["block 2"])
    assert min(gone[FULL].values()) > 0
    assert min(gone[SCRATCH].values()) > 0.5
    old, new = (
        torch.cat([weight.detach().cpu().flatten() for weight in models.blocks(model)[0].parameters()])
        for model in (backbone, taught(name, FULL)[0].backbone)
    )
    assert gone[FULL]["block 1"] == pytest.approx(((new - old).norm() / old.norm()).item(), rel=1e-5)


@pytest.mark.parametrize("name", SAVED)
def test_an_easy_task_is_learned_and_carries_over_to_other_texts(start, monkeypatch, name):
    monkeypatch.setattr(finetuning, "GENTLE", finetuning.RECIPES)  # these models have learned nothing yet
    backbone, tokenizer = start(name)
    train, test = (finetuning.encode_texts(tokenizer, sentences(*of), backbone) for of in ((160, 0), (40, 160)))
    classifier, _ = finetuning.finetune_classifier(backbone, train, [i % 2 for i in range(160)], LABELS, FULL, seed=0)
    right = finetuning.predict(classifier, test).argmax(1) == np.arange(40) % 2
    assert right.mean() > 0.9


@pytest.mark.parametrize(("name", "arm"), [("own", SCRATCH), ("own", LORA), ("BERT", FULL), ("GPT-2", FULL)])
def test_the_same_seed_gives_the_same_weights_to_the_bit(start, few_steps, taught, name, arm):
    first, _, rows = taught(name, arm)
    torch.rand(3)  # whatever else draws in between
    again, _ = finetuning.finetune_classifier(start(name)[0], rows, CLASSES, LABELS, arm, seed=3)
    assert not changed(first, again)


def test_another_seed_gives_other_weights(start, few_steps, taught):
    first, _, rows = taught("own", SCRATCH)
    other, _ = finetuning.finetune_classifier(start("own")[0], rows, CLASSES, LABELS, SCRATCH, seed=4)
    assert changed(first, other)


def test_from_scratch_nothing_of_the_trained_weights_is_left_and_another_seed_begins_elsewhere(start):
    backbone, _ = start("own")
    one, other = (finetuning.prepare(backbone, SCRATCH, seed) for seed in (1, 2))
    drawn = {name for name, weight in backbone.state_dict().items() if weight.ndim > 1}
    assert changed(backbone, one) == changed(one, other) == drawn  # norms begin at one, whatever the seed


@pytest.mark.parametrize(("count", "epochs"), [(5, 2), (33, 2), (700, 3)])
def test_every_text_is_read_once_an_epoch_with_its_own_class(count, epochs):
    rows = [[i] * (1 + i % 9) for i in range(count)]
    classes = np.arange(count) % 7
    batches = finetuning.plan(rows, classes, epochs, seed=0)
    each = -(-count // finetuning.BATCH)  # batches of an epoch
    assert len(batches) % each == 0
    assert len(batches) >= max(finetuning.FEWEST_STEPS, epochs * each)
    for begin in range(0, len(batches), each):
        epoch = batches[begin : begin + each]
        read = [row for batch in epoch for row in batch["rows"]]
        assert sorted(read) == sorted(rows)
        assert [row[0] % 7 for row in read] == [place for batch in epoch for place in batch["classes"]]
        assert max(len(batch["rows"]) for batch in epoch) <= finetuning.BATCH
    if count == 700:  # enough texts: no more epochs than asked for
        assert len(batches) == epochs * each


def test_batches_have_little_padding_and_their_order_hangs_on_the_seed():
    rows = [[i] * (1 + i % 40) for i in range(400)]
    batches = finetuning.plan(rows, [0] * 400, 3, seed=0)
    padded = sum(max(map(len, batch["rows"])) * len(batch["rows"]) for batch in batches)
    read = sum(len(row) for batch in batches for row in batch["rows"])
    assert padded < 1.2 * read
    assert batches == finetuning.plan(rows, [0] * 400, 3, seed=0)
    assert batches != finetuning.plan(rows, [0] * 400, 3, seed=1)
    lengths = [len(batch["rows"][0]) for batch in batches]
    assert lengths != sorted(lengths)


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("arm", [FROZEN, LORA, FULL])
def test_a_saved_classifier_comes_back_with_its_labels_in_order(start, taught, tmp_path, name, arm):
    classifier, _, rows = taught(name, arm)
    expected = finetuning.predict(classifier, rows)
    finetuning.save_classifier(classifier, start(name)[1], tmp_path / "classifier")
    opened, tokenizer = finetuning.load_classifier(tmp_path / "classifier")
    assert opened.labels == tuple(LABELS)
    assert not opened.training
    assert finetuning.encode_texts(tokenizer, TEXTS, opened.backbone) == rows
    assert finetuning.predict(opened, rows) == pytest.approx(expected, abs=1e-6)
    assert type(AutoModel.from_pretrained(tmp_path / "classifier")) is type(start(name)[0])
    assert [path.name for path in tmp_path.iterdir()] == ["classifier"]


def test_many_labels_keep_their_order_through_a_save(start, tmp_path):
    backbone, tokenizer = start("own")
    labels = [f"label {place}" for place in reversed(range(12))]  # as text, "10" comes before "2"
    finetuning.save_classifier(Classifier(backbone, labels), tokenizer, tmp_path / "classifier")
    assert finetuning.load_classifier(tmp_path / "classifier")[0].labels == tuple(labels)


def test_a_folder_that_is_no_classifier_is_named(folder, tmp_path):
    for other in (folder / "own", tmp_path):
        with pytest.raises(WorkbookError, match=rf"{other}: there is no head\.safetensors\. Give a folder"):
            finetuning.load_classifier(other)


@pytest.mark.parametrize("name", WRITING)
def test_a_classifier_writes_as_before_if_nothing_was_trained_and_else_otherwise(folder, taught, name):
    original, _ = pretrained.load_model(folder / name)
    before = models.weights_fingerprint(original)
    input_ids, mask = models.padded(taught(name, FROZEN)[2][:3], torch.device("cpu"))

    def written(arm):
        """Returns the logits, and what the last states give with the table that reads."""
        model = finetuning.as_language_model(taught(name, arm)[0], original).cpu()
        with torch.inference_mode():
            last = models.states(model, input_ids, mask)[-1]
            logits = model(input_ids=input_ids, attention_mask=mask).logits
            return logits, last @ model.get_input_embeddings().weight.T

    with torch.inference_mode():
        expected = original(input_ids=input_ids, attention_mask=mask).logits
    assert torch.equal(written(FROZEN)[0], expected)
    for arm in (LORA, FULL):
        logits, from_the_table = written(arm)
        assert not torch.allclose(logits, expected, atol=1e-3)
        assert torch.allclose(logits, from_the_table, atol=1e-5)  # one table still reads and writes
    assert models.weights_fingerprint(original) == before


@pytest.mark.parametrize("name", SAVED)
def test_the_blocks_are_found_whatever_a_model_calls_them(start, name):
    backbone, _ = start(name)
    found = models.blocks(backbone)
    assert len(found) == 2
    kind = {"own": "Qwen3DecoderLayer", "BERT": "BertLayer", "GPT-2": "GPT2Block"}[name]
    assert {type(block).__name__ for block in found} == {kind}


@pytest.mark.parametrize("name", SAVED)
def test_a_text_longer_than_the_model_can_read_is_cut(start, taught, name):
    backbone, tokenizer = start(name)
    whole = "alpha omega river mill " * 40
    long, short = finetuning.encode_texts(tokenizer, [whole, "the mill"], backbone)
    assert 20 < len(long) <= backbone.config.max_position_embeddings == 32
    assert long == finetuning.encode_texts(tokenizer, [whole * 2], backbone)[0]
    assert len(short) < len(long)
    assert finetuning.predict(taught(name, FULL)[0], [long]).shape == (1, 2)


def test_a_batch_taken_in_parts_teaches_what_the_whole_does(start, few_steps, monkeypatch):
    backbone, tokenizer = start("own")
    rows = finetuning.encode_texts(tokenizer, TEXTS, backbone)
    taught = []
    for tokens in (8192, 40):
        monkeypatch.setattr(finetuning, "most_tokens", lambda model, tokens=tokens: tokens)
        classifier, _ = finetuning.finetune_classifier(backbone, rows, CLASSES, LABELS, FULL, seed=3)
        taught.append(finetuning.predict(classifier, rows))
    assert taught[0] == pytest.approx(taught[1], abs=1e-3)
