import json

import pytest

from helpers.corpora import load
from helpers.corpora.mixing import mix
from helpers.files import WorkbookError


@pytest.fixture
def corpora(tmp_path):
    """A source of 400 documents and one of 20."""
    made = {}
    for name, count in {"large": 400, "small": 20}.items():
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps([f"Document {i} of {name} — {'x' * (i % 50)}" for i in range(count)]))
        made[name] = load(str(path))
    return made


def size(texts):
    return sum(len(text.encode()) for text in texts)


def test_shares_are_met_and_a_small_source_is_read_again(corpora):
    mixture = mix(corpora, {"large": 3, "small": 1}, 16_000, seed=0)
    by_source = {name: size(row["text"] for row in mixture if row["source"] == name) for name in corpora}
    assert by_source == pytest.approx({"large": 12_000, "small": 4000}, abs=100)
    counts = [list(mixture["text"]).count(text) for text in corpora["small"].splits["train"]["text"]]
    assert min(counts) > 1
    assert max(counts) - min(counts) <= 1
    assert len({*mixture["text"]} & {*corpora["large"].splits["train"]["text"]}) == len(mixture) - sum(counts)


def test_the_order_depends_on_the_seed_alone(corpora):
    weights = {"large": 1.0, "small": 1.0}
    first, same, other = (list(mix(corpora, weights, 8000, seed)["text"]) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_only_training_documents_are_drawn(corpora):
    mixture = mix(corpora, {"large": 1, "small": 1}, 50_000, seed=0)
    held_out = {
        text for corpus in corpora.values() for split in ("validation", "test") for text in corpus.splits[split]["text"]
    }
    assert not held_out & set(mixture["text"])


def test_a_weight_of_nothing_leaves_a_source_out(corpora):
    assert set(mix(corpora, {"large": 1, "small": 0}, 1000, seed=0)["source"]) == {"large"}


@pytest.mark.parametrize("weights", [{"large": 1}, {"large": 0, "small": 0}, {"large": -1, "small": 2}, {"x": 1}])
def test_weights_that_do_not_fit_are_told(corpora, weights):
    with pytest.raises(WorkbookError, match="weight"):
        mix(corpora, weights, 1000, seed=0)
