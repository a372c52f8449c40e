"""A baseline that is weak by mistake flatters every model: each is checked against its definition."""

import math
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest

from helpers.evaluation.baselines import NGramModel, xz_bits

VOCABULARY = 9  # 0 begins a document, 1 ends it


@pytest.fixture(scope="module")
def documents():
    rng = np.random.default_rng(0)
    return [[0, *rng.integers(2, VOCABULARY, rng.integers(1, 14)).tolist(), 1] for _ in range(300)]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("before", [[0], [0, 3], [0, 3, 4, 2], [0, 5, 5, 5, 5, 5, 5]])
def test_probabilities_of_the_next_token_sum_to_one(documents, order, before):
    model = NGramModel(order, VOCABULARY).fit(documents)
    start = model.document_bits([before])[0]
    after = model.document_bits([[*before, token] for token in range(VOCABULARY)])
    assert sum(2 ** -(after - start)) == pytest.approx(1)


def test_unigram_is_the_smoothed_frequency(documents):
    counts = Counter(token for ids in documents for token in ids[1:])
    total = sum(counts.values())
    for token in range(1, VOCABULARY):
        bits = NGramModel(1, VOCABULARY).fit(documents).document_bits([[0, token]])[0]
        assert 2**-bits == pytest.approx(counts[token] / total, abs=3 * (VOCABULARY + 1) / total)


def test_bigram_equals_a_plain_reading_of_chen_and_goodman(documents):
    bigrams = Counter(pair for ids in documents for pair in pairwise(ids))
    left_neighbours: dict[int, set[int]] = defaultdict(set)
    for left, right in bigrams:
        left_neighbours[right].add(left)

    def discounts(counts):
        n = [sum(1 for count in counts if count == k) or 1 for k in (1, 2, 3, 4)]
        y = n[0] / (n[0] + 2 * n[1])
        raw = [(k + 1) - (k + 2) * y * n[k + 1] / n[k] for k in range(3)]
        return [0.0, *(min(max(value, 0.05), k) for k, value in enumerate(raw, start=1))]

    continuations = {token: len(left) for token, left in left_neighbours.items()}
    low, high = discounts(continuations.values()), discounts(bigrams.values())

    def unigram(token):
        total = sum(continuations.values())
        count = continuations.get(token, 0)
        freed = sum(low[min(c, 3)] for c in continuations.values()) / total
        return max(count - low[min(count, 3)], 0) / total + freed / VOCABULARY

    def bigram(left, token):
        row = {pair: count for pair, count in bigrams.items() if pair[0] == left}
        count, total = bigrams[left, token], sum(row.values())
        freed = sum(high[min(c, 3)] for c in row.values()) / total
        return max(count - high[min(count, 3)], 0) / total + freed * unigram(token)

    text = [0, 4, 2, 8, 1]
    expected = -sum(math.log2(bigram(a, b)) for a, b in pairwise(text))
    assert NGramModel(2, VOCABULARY).fit(documents).document_bits([text])[0] == pytest.approx(expected)


def test_a_bigram_comes_near_the_entropy_of_a_source_of_its_order():
    rng = np.random.default_rng(1)
    following = rng.dirichlet(np.full(6, 0.5), 6)  # a Markov chain over tokens 2 to 7

    def document():
        ids = [int(rng.integers(6))]
        for _ in range(60):
            ids.append(int(rng.choice(6, p=following[ids[-1]])))
        return [0, *(token + 2 for token in ids), 1]

    train, test = [document() for _ in range(400)], [document() for _ in range(100)]
    bits = {order: NGramModel(order, 8).fit(train).document_bits(test).sum() for order in (1, 2)}
    true = sum(-math.log2(following[a - 2, b - 2]) for ids in test for a, b in pairwise(ids[1:-1]))
    assert bits[2] < bits[1]
    assert bits[2] == pytest.approx(true, rel=0.1)


def test_primed_xz_needs_little_for_what_it_has_read_and_much_for_noise():
    rng = np.random.default_rng(2)
    training = ["".join(chr(97 + c) for c in rng.integers(0, 26, 400)) for _ in range(40)]
    noise = "".join(chr(97 + c) for c in rng.integers(0, 26, 4000))
    repeated, new = xz_bits(training, [training[3:13], [noise]])
    assert repeated < 0.1 * 8 * 4000
    assert new > 4000 * math.log2(26) * 0.99


@pytest.mark.parametrize("order", [1, 2, 5])
def test_the_probabilities_of_all_next_tokens_are_those_behind_the_bits(order):
    rng = np.random.default_rng(0)
    documents = [[0, *rng.integers(2, 12, 30), 1] for _ in range(40)]
    model = NGramModel(order, 12).fit(documents)
    unseen = [0, *rng.integers(2, 12, 9), 1]
    bits = model.token_bits([unseen])[0]
    for i in range(1, len(unseen)):
        probabilities = model.next_probabilities(unseen[:i])
        assert probabilities.sum() == pytest.approx(1)
        assert -np.log2(probabilities[unseen[i]]) == pytest.approx(bits[i - 1])
