from helpers.corpora import load

SIZE = {"people": 60, "town_bytes": 200_000}


def test_the_town_is_a_corpus_of_the_size_asked_for():
    corpus = load("town", **SIZE)
    sizes = {split: tally.bytes for split, tally in corpus.report.kept.items()}
    assert 200_000 <= sizes["train"] < 205_000
    assert 20_000 <= sizes["validation"] < 25_000
    assert 20_000 <= sizes["test"] < 25_000
    assert set(corpus.splits["test"].column_names) == {"text", "group", "kind", "log2_probability"}
    assert all(p < 0 for p in corpus.splits["test"]["log2_probability"])


def test_the_same_seed_writes_the_same_town():
    first = load("town", **SIZE, seed=1).fingerprint
    assert load("town", **SIZE, seed=1).fingerprint == first
    assert load("town", **SIZE, seed=2).fingerprint != first
