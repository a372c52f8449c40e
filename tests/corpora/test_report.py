from dataclasses import asdict

from helpers.corpora.report import EXAMPLES, Report, Source, Tally, shorten


def report():
    value = Report("a <script>corpus</script>")
    value.kept = {"train": Tally(2, 3_000_000)}
    value.remove("too <short>", "é", "<script>alert(1)</script>")
    value.kinds = {"prose": 3, "code": 1}
    value.sources = [Source("toy", "1.0", "MIT", 5, "0123")]
    value.problems = ["x.py: <b>broken</b>"]
    return value


def test_the_terminal_sees_every_figure():
    text = str(report())
    for part in ("train", "3.00", "too <short>", "75.0%", "toy", "1.0", "MIT", "0123", "x.py"):
        assert part in text


def test_text_from_data_is_escaped_in_html():
    html = report()._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_a_report_survives_the_cache():
    assert Report.from_dict(asdict(report())) == report()


def test_bytes_are_counted_in_utf_8_and_examples_are_few():
    tally = Tally()
    for _ in range(10):
        tally.add("é", "example")
    assert (tally.documents, tally.bytes, len(tally.examples)) == (10, 20, EXAMPLES)


def test_tables_without_rows_are_left_out():
    assert str(Report("empty")) == "empty"


def test_examples_are_shortened_to_one_line():
    assert shorten("a\n b") == "a b"
    assert len(shorten("word " * 100)) == 60
