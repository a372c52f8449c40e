from rensa import RMinHash

from helpers.corpora.duplicates import BANDS, ROWS, SEED, THRESHOLD, Unique, shingles, similarity
from helpers.corpora.report import Report

LONG = (
    "The baker of the town opens his shop early in the morning, long before the sun is up, and sells warm bread to "
    "all who pass by on their way to the harbour, where the boats wait for the tide."
)


def test_a_document_is_kept_once_and_the_report_says_why():
    unique, report = Unique(), Report("test")
    assert unique.add("a", [LONG], report) == LONG
    assert unique.add("b", [LONG], report) is None
    assert unique.add("c", [LONG.replace("boats", "ships")], report) is None
    assert unique.add("d", ["Too short."], report) is None
    assert report.removed["repeated word for word"].documents == 1
    assert report.removed["nearly repeated"].examples[0].startswith("c repeats a: The baker")
    assert report.removed["less than 6 words"].bytes == len("Too short.")


def test_a_repeated_paragraph_goes_and_the_rest_of_the_document_stays():
    unique, report = Unique(), Report("test")
    other = "A second paragraph that nobody else has said so far in this test."
    unique.add("a", [LONG], report)
    assert unique.add("b", [other, LONG, other], report) == other


def test_a_paragraph_of_a_removed_document_is_not_lost():
    unique, report = Unique(), Report("test")
    short = "Only five words are here."
    assert unique.add("a", [short], report) is None
    assert short in (unique.add("b", [short, LONG], report) or "")


def test_different_documents_stay():
    unique, report = Unique(), Report("test")
    kept = [
        unique.add(str(i), [f"Document {i} tells of {i * 7} and {i * 13} other things in its own words."], report)
        for i in range(50)
    ]
    assert None not in kept
    assert not report.removed


def test_similarity_is_that_of_the_sets_of_shingles():
    a, b = shingles("one two three four five six"), shingles("One two, three four five seven!")
    assert a == {"one two three four five", "two three four five six"}
    assert similarity(a, b) == 1 / 3
    assert similarity(a, a) == 1
    assert similarity(shingles(LONG), shingles(LONG.replace("boats", "ships"))) >= THRESHOLD


def test_signatures_are_the_same_on_every_platform():
    sketch = RMinHash(num_perm=BANDS * ROWS, seed=SEED)
    sketch.update(sorted(shingles(LONG)))
    assert sketch.digest()[:4] == [3237808125, 1805026611, 3237081660, 3276648197]
