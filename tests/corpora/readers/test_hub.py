import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers.corpora import load
from helpers.files import WorkbookError

README = """---
license: mit
configs:
- config_name: plain
  default: true
  data_files:
  - split: train
    path: data/train-*.parquet
  - split: test
    path: data/test-*.parquet
- config_name: single
  data_files: data/train-*.parquet
---
# Toy
"""


@pytest.fixture
def folder(tmp_path):
    """A data set in the Hub's layout."""
    (tmp_path / "toy" / "data").mkdir(parents=True)
    (tmp_path / "toy" / "README.md").write_text(README)
    for split, count in {"train": 40, "test": 5}.items():
        rows = [{"text": f"{split} text {i}", "answer": f"{split} answer {i}", "n": i} for i in range(count)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "toy" / "data" / f"{split}-00000-of-00001.parquet")
    return tmp_path / "toy"


def test_the_splits_of_the_data_set_are_kept(folder):
    corpus = load(f"hub:{folder}")
    sizes = {split: part.num_rows for split, part in corpus.splits.items()}
    assert sizes == {"train": 38, "validation": 2, "test": 5}  # what it has not is taken out of train
    assert corpus.splits["test"]["text"][:] == [f"test text {i}" for i in range(5)]
    assert "no rows are named for validation" in str(corpus.report)
    assert [source.documents for source in corpus.report.sources] == [40, 5]
    assert corpus.name == "hub:toy"  # and not whose home it lies in


def test_one_split_is_divided(folder):
    for address in (f"hub:{folder}::train", f"hub:{folder}:single"):
        corpus = load(address)
        assert set(corpus.splits) == {"train", "validation", "test"}
        assert sum(part.num_rows for part in corpus.splits.values()) == 40


def test_a_column_and_a_limit_can_be_given(folder):
    corpus = load(f"hub:{folder}:plain:train:answer", limit=7)
    found = [text for part in corpus.splits.values() for text in part["text"]]
    assert sorted(found) == [f"train answer {i}" for i in range(7)]
    assert load(f"hub:{folder}", column="answer").splits["test"]["text"][0] == "test answer 0"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (":::body", "found: text, answer, n.*--column NAME"),
        (":::n", "'n' is int, not text"),
        ("::nowhere", "nowhere"),
        (":nowhere", "nowhere"),
        (":::::", "owner/name"),
        ("/missing", "there is no folder"),
    ],
)
def test_what_is_not_there_is_told(folder, address, message):
    with pytest.raises(WorkbookError, match=f"(?s){message}"):
        load(f"hub:{folder}{address}")


def test_offline_is_told_and_nothing_is_left(own_cache):
    with pytest.raises(WorkbookError, match=r"hub:owner/name: the data set cannot be read.*connection"):
        load("hub:owner/name")
    assert not list((own_cache / "corpora").iterdir())
