"""The index shows what was found and what was not run, and leads to the pages."""

import json

import nbformat
import pytest
from bs4 import BeautifulSoup
from handmade import cell, measurement, results, v4, write_run

from helpers.claims import CLAIMS
from helpers.files import WorkbookError
from helpers.publishing.chapters import TEXTS
from helpers.publishing.index import write_index


def index(run):
    return BeautifulSoup(write_index(run).read_text(encoding="utf-8"), "html.parser")


@pytest.fixture
def run(tmp_path, workbook):
    folder = write_run(tmp_path / "laptop", results({"loss": measurement(1.8)}))
    nbformat.write(v4.new_notebook(cells=[cell()]), folder / "01_first.ipynb")
    (folder / "01_first.html").write_text("page", encoding="utf-8")
    return folder


def test_chapters_run_and_not_run(run):
    first, second, third = (row.get_text(" ", strip=True) for row in index(run).select("tbody tr"))
    assert first == "01 The first laptop 4:01 1,234 MB"
    assert second == "02 The second <chapter> not run – – –"
    assert third.startswith("03 The third not run")
    assert [link["href"] for link in index(run).select("tbody a")] == ["01_first.html"]


def test_every_claim_is_listed_with_its_verdict_or_without(run):
    cards = index(run).select(".verdict")
    assert len(cards) == len(CLAIMS) == 13
    assert "supported" in cards[0].get_text()
    assert "Loss fell to 1.83." in cards[0].get_text()
    assert "So it does (A et al. 2020)." in cards[0].get_text()
    assert all("not run yet" in card.get_text() for card in cards[1:])
    assert "A real model" not in cards[0].get_text()


def test_a_verdict_has_the_rung_of_a_real_model_where_one_was_measured(run):
    found = results({})
    found["chapters"]["01_first"]["verdicts"]["C1"] |= {"real": "It <fell> there, too."}
    rungs = index(write_run(run, found)).select_one(".verdict").select("dt")
    assert [rung.get_text() for rung in rungs] == ["Here: supported", "A real model", "At scale"]


def test_at_smoke_a_banner_says_that_nothing_is_proven(run):
    assert not index(run).select_one(".banner")
    found = results({})
    found["chapters"]["01_first"] |= {"profile": "smoke"}
    found["chapters"]["01_first"]["verdicts"]["C1"] |= {"here": "not judged at smoke"}
    page = index(write_run(run, found))
    assert "proves nothing" in page.select_one(".banner").get_text()
    assert "Here: not judged at smoke" in page.select_one(".verdict").get_text()


def test_a_chapter_that_failed_since_does_not_pass_for_whole(run):
    failed = cell("1", v4.new_output("error", ename="E", evalue="", traceback=[]))
    nbformat.write(v4.new_notebook(cells=[failed]), run / "01_first.failed.ipynb")
    (run / "01_first.failed.html").write_text("what ran", encoding="utf-8")
    first = index(run).select_one("tbody tr")
    assert "not a whole run: cell 1 stopped with an error" in first.get_text()
    assert first.a["href"] == "01_first.failed.html"


def test_before_anything_ran_the_index_still_lists_all(tmp_path, workbook):
    page = index(tmp_path / "new")
    assert len(page.select("tbody tr")) == 3
    assert not page.find(id="machine")


def test_the_index_leads_to_glossary_and_data_which_stand_beside_it(run):
    page = index(run)
    links = {link["href"] for link in page("a")}
    assert {"glossary.html", "data.html", "01_first.html"} <= links
    glossary, data, prompts = (BeautifulSoup((run / name).read_text(encoding="utf-8"), "html.parser") for name in TEXTS)
    assert glossary.title.get_text() == "Glossary"
    assert glossary.select_one("main .scroll > table")
    local = {link["href"] for text in (data, prompts) for link in text.select("main section a[href]")}
    assert {name for name in local if not name.startswith(("https:", "#"))} <= set(TEXTS)  # no link leads nowhere
    assert "prompts.html" in local


def test_text_is_escaped_and_nothing_is_fetched(run):
    page = index(run)
    assert "A <fast> processor" in page.get_text()
    assert not page.find("fast")
    assert not page(["script", "link", "img"])


def test_a_foreign_record_is_refused(run):
    (run / "results.json").write_text(json.dumps({"format": 2}), encoding="utf-8")
    with pytest.raises(WorkbookError, match="format 1"):
        write_index(run)
