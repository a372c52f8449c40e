"""A page must stand alone, show its formulas, run nothing, and read well everywhere."""

import base64
import io
import itertools
import json
import re
import subprocess
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup
from handmade import cell, figure_output, shown, shown_record, v4
from nbconvert.exporters import get_exporter
from PIL import Image

from helpers import files
from helpers.cli import main
from helpers.files import WorkbookError
from helpers.progress import PROGRESS_MIME
from helpers.publishing import chapters
from helpers.publishing.exporter import export

markdown = v4.new_markdown_cell
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)><iframe src='https://evil.example'></iframe>"


def soup(html):
    return BeautifulSoup(html, "html.parser")


def chapter():
    """A chapter with everything that a page can hold."""
    wide = "<table><tr><th>name</th><th>value</th></tr>" + "<tr><td>a_wide_cell_" * 9 + "</td><td>1.5</td></tr></table>"
    return [
        markdown("# Noise to *language*\n\nIt costs \\$5 and $x_{<t}$.\n\n$$\\sum_{t=1}^T \\log_2 \\, p(x_t)$$"),
        cell("profile = 'laptop'", tags=["parameters"]),
        markdown("## A section\n\n" + "A long unbroken" + "word" * 60),
        cell("# Draw it\n" + "x = 1  # " + "wide " * 60, figure_output()),
        markdown("### A part\n\n| a | b |\n|---|---|\n| x | 2 |\n\n## A section"),
        cell("2", shown(text_html=wide), shown(text_plain="y" * 90), v4.new_output("stream", text="z " * 300)),
    ]


def test_page_fetches_nothing_and_runs_nothing(page):
    html = page(*chapter())
    assert not soup(html)(["script", "link", "iframe", "object", "embed", "form"])
    fetched = [tag[name] for tag in soup(html)(True) for name in ("src", "srcset") if name in tag.attrs]
    assert fetched
    assert all(address.startswith("data:image/webp;base64,") for address in fetched)
    assert not re.search(r"url\(|@import", "".join(style.get_text() for style in soup(html)("style")))


@pytest.mark.parametrize(
    "source",
    [
        "<script>x()</script>",
        "![x](https://a.example/x.png)",
        "<b onclick='x()'>x</b>",
        "<svg><image href='https://a.example/x.png'/></svg>",
    ],
)
def test_a_chapter_that_would_fetch_or_run_something_is_refused(page, source):
    with pytest.raises(WorkbookError, match="02_second"):
        page(markdown(source))


def test_formulas_are_mathml_and_a_dollar_stays_a_dollar(page):
    html = page(
        markdown("It costs \\$5, or \\$6; $a < b$ and\n\n$$\\frac{1}{T}\\begin{cases} 1 & x \\\\ 0 & y\\end{cases}$$"),
        cell("1", shown(text_markdown="Here $\\log_2 V$.")),
    )
    inline, block, displayed = soup(html)("math")
    assert (inline["display"], block["display"]) == ("inline", "block")
    assert displayed["alttext"] == "\\log_2 V"
    assert "It costs $5, or $6; " in soup(html).main.get_text()


@pytest.mark.parametrize(
    "formula", ["\\arg x", "\\bm{x}", "\\frac{a}{", "x_", "\\left( x", "\\begin{aligned}a&b\\end{aligned}"]
)
def test_a_formula_that_does_not_convert_is_refused_by_name(page, formula):
    for bad in (markdown(f"So ${formula}$."), cell("1", shown(text_markdown=f"So ${formula}$."))):
        with pytest.raises(WorkbookError) as error:
            page(markdown("# Title"), bad)
        assert "02_second.ipynb, cell 2" in str(error.value)
        assert repr(formula) in str(error.value)


def test_text_of_a_corpus_is_never_markup(page):
    outputs = [
        shown(text_plain=SCRIPT),
        shown(text_html=f"<table><tr><td>kept {SCRIPT}<style>b{{}}</style></td></tr></table>"),
        shown(text_markdown=f"{SCRIPT} ![x](https://evil.example/x.png) [x](javascript:alert(3))"),
        shown(text_markdown=f"$\\text{{{SCRIPT}}}$"),
        v4.new_output("stream", text=SCRIPT),
        v4.new_output("stream", name="stderr", text=SCRIPT),
        v4.new_output("error", ename="E", evalue=SCRIPT, traceback=[f"\x1b[31m{SCRIPT}\x1b[0m"]),
    ]
    html = page(markdown("# Title"), cell(f"x = '{SCRIPT}'", *outputs), papermill={"exception": SCRIPT})
    assert not soup(html)(["script", "iframe"])
    assert not soup(html)("img")
    assert not [name for tag in soup(html)(True) for name in tag.attrs if name.startswith("on")]
    assert not [link["href"] for link in soup(html)("a") if link["href"].startswith("javascript")]
    assert "kept" in soup(html).table.get_text()


@pytest.mark.parametrize("formula", ["\\href{javascript:alert(1)}{x}", "\\style{background:url(x)}{x}"])
def test_formulas_carry_no_links_and_styles(page, formula):
    with pytest.raises(WorkbookError, match="links and styles"):
        page(cell("1", shown(text_markdown=f"${formula}$")))


def test_contents_and_neighbours_lead_where_they_say(page):
    html = soup(page(*chapter()))
    links = [link["href"] for link in html.select("nav.contents a")]
    assert links == ["#a-section", "#a-part", "#a-section-2"]
    assert all(html.find(id=link[1:]) for link in links)
    ways = {link["class"][0]: (link["href"], link.get_text()) for link in html.select("nav.neighbours a")}
    assert ways["previous"] == ("01_first.html", "Previous The first")
    assert ways["next"] == ("03_third.html", "Next The third")


def test_code_is_folded_but_there(page):
    html = soup(page(*chapter(), cell("seed = 1", tags=["injected-parameters"])))
    summaries = [details.summary.get_text() for details in html.select("details.code")]
    assert summaries == ["Parameters and their defaults", "Draw it", "Code", "Parameters of this run"]
    assert html.select("details.code")[1].find("pre").get_text().startswith("# Draw it\nx = 1")
    assert [details.has_attr("open") for details in html.select("details.code")] == [False, False, False, True]


def test_the_parameters_of_a_run_name_files_without_their_paths(page):
    source = 'SEED = 1\nCORPUS = "/home/ada/texts/mine.csv"\nLABELS = "hub:/home/ada/labels"\nMODEL = "owner/name"'
    shown = soup(page(*chapter(), cell(source, tags=["injected-parameters"]))).get_text()
    assert "/home" not in shown
    for kept in ('CORPUS = "mine.csv"', 'LABELS = "hub:labels"', 'MODEL = "owner/name"'):
        assert kept in shown


def test_figures_have_both_renderings_alt_text_and_caption(page):
    html = soup(page(*chapter()))
    assert html.figure.img["alt"] == 'Loss falls from "2" to 1.'
    assert html.figure.figcaption.get_text() == "The loss & its fall."
    sources = {source["media"]: (source["srcset"], source["width"]) for source in html.figure("source")}
    narrow, dark = "(max-width: 40rem)", "(prefers-color-scheme: dark)"
    assert list(sources) == [f"{narrow} and {dark}", narrow, dark]
    assert len({html.figure.img["src"], *(address for address, _ in sources.values())}) == 4
    assert sources[narrow][1] < sources[dark][1] == html.figure.img["width"]
    without = figure_output()
    without.metadata = {}
    with pytest.raises(WorkbookError, match=r"02_second\.ipynb, cell 1: a figure has no alt text"):
        page(cell("1", without))


def test_code_without_output_is_gathered_above_the_next_figure_of_its_section(page):
    html = soup(
        page(
            markdown("# Title"),
            cell("first = 1"),
            markdown("Some words."),
            cell("record.say('so it is')", shown(text_markdown="So it is.")),
            cell("# The figure\nfigure", figure_output()),
            cell("left = 2"),
            markdown("## Next"),
            cell("display(Markdown('x')) if first else record.judge('a')", shown(text_plain="shown without code")),
            cell("table", shown(text_plain="a table without code"), tags=["hide-input"]),
            cell("loop = 3", shown(text_plain="in plain sight"), tags=["plain-sight"]),
        )
    )
    blocks = html.select("details.code")
    assert [block.pre.get_text().split() for block in blocks] == [
        ["first", "=", "1", "#", "The", "figure", "figure"],
        ["left", "=", "2"],
        ["loop", "=", "3"],
    ]
    assert blocks[0].summary.get_text() == "The figure"
    assert blocks[0].find_next("figure")
    assert [block.has_attr("open") for block in blocks] == [False, False, True]
    for words in ("So it is.", "shown without code", "a table without code"):
        assert words in html.main.get_text()


def test_progress_is_not_on_the_page(page):
    line = shown(text_plain="training: 5 of 5 tokens, took 0:01", **{PROGRESS_MIME.replace("/", "_", 1): {}})
    html = page(cell("train()", line, v4.new_output("stream", text="a result")))
    assert "took 0:01" not in html
    assert "a result" in html


def test_the_box_says_what_was_found(page):
    record = shown_record(verdicts=[("C1", "supported", f"Loss fell {SCRIPT}\nmore"), ("C2", "depends on size", "So.")])
    html = soup(
        page(markdown("# Title\n\nIntroduction"), cell("1", figure_output(headline=True)), cell("record", record))
    )
    box = html.select_one(".found")
    assert box.find_previous_sibling().name == "h1"
    assert [line.get_text(" ", strip=True) for line in box("li")] == [
        f"C1 A claim | that is <i>made</i>. supported Loss fell {SCRIPT}",
        "C2 A claim | that is <i>made</i>. depends on size So.",
    ]
    assert box.select_one(".depends").get_text() == "depends on size"
    assert "2 predictions: 1 held , 1 missed ." in box.get_text(" ", strip=True)
    assert "4:01 and at most 1.2 GB of memory; profile laptop, commit abc" in box.get_text()
    own = {image["id"]: image["href"] for image in box("image")}
    assert len(set(own.values())) == 4
    assert {use["href"][1:] for use in html.select("main figure use")} == set(own)  # in its place, not a second time
    assert not soup(page(*chapter())).select_one(".found")
    assert not soup(page(cell("1", figure_output(headline=True)))).svg  # no box: the figure is one like others


def test_at_smoke_a_banner_says_that_nothing_is_proven(page):
    record = shown_record([("C1", "not judged at smoke", "")], ["not judged at smoke"], "smoke")
    html = soup(page(markdown("# Title"), cell("record", record)))
    assert "proves nothing" in html.select_one(".banner").get_text()
    box = html.select_one(".found").get_text(" ", strip=True)
    assert "1 predictions: 1 not judged at smoke ." in box
    assert not any(word in box for word in ("held", "missed", "undecided", "supported", "refuted"))
    assert not soup(page(markdown("# Title"), cell("record", shown_record()))).select_one(".banner")


def test_a_page_leads_to_glossary_papers_and_the_readers_own_file(page, monkeypatch, tmp_path):
    cells = [markdown("# Title"), cell("LABELS = ''", tags=["parameters"]), markdown("## References\n\n- A (2020)")]
    (tmp_path / "CITATION.cff").write_text('repository-code: "https://code.example/workbook"\n', encoding="utf-8")
    without = soup(page(*cells)).select_one("nav.ways")
    assert [link["href"] for link in without("a")] == ["data.html", "glossary.html", "#references"]
    assert without.code.get_text() == "python -m helpers run 02 --name mine --set LABELS=my.csv"
    monkeypatch.setattr(files, "ROOT", tmp_path)
    assert soup(page(*cells)).select_one("nav.ways")("a")[-1]["href"] == "https://code.example/workbook"


def test_predictions_are_judged_in_colour(page):
    table = "<table><tr><th>prediction</th><th>outcome</th></tr><tr><td>It falls.</td><td>missed</td></tr></table>"
    said = '<p class="prediction"><strong>Prediction held.</strong> It rises.</p>'
    html = soup(page(cell("1", shown(text_html=table), shown(text_html=said))))
    assert html.select_one("td.missed").get_text() == "missed"
    assert html.select_one("strong.held")


def test_messages_of_libraries_are_folded_and_plain(page):
    html = soup(page(cell("1", v4.new_output("stream", name="stderr", text="\x1b[31mcareful\x1b[0m"))))
    assert html.select_one("details.messages pre").get_text() == "careful"
    assert not html.select_one("details.messages").has_attr("open")


def test_a_line_that_overwrites_itself_is_shown_in_its_last_state(page):
    html = soup(page(cell("1", v4.new_output("stream", text="1 of 2\r"), v4.new_output("stream", text="2 of 2\n"))))
    assert html.select_one("pre.printed").get_text().strip() == "2 of 2"


def test_numbers_of_a_table_stand_flush_right(page):
    rows = "<tr><td>trained</td><td>1.83 [1.80, 1.86]</td></tr><tr><td>xz</td><td>–</td></tr>"
    html = soup(page(cell("1", shown(text_html=f"<table><tr><th>model</th><th>bits</th></tr>{rows}</table>"))))
    assert [("number" in c.get("class", [])) for c in html.table(["th", "td"])] == [False, True] * 3


@pytest.mark.parametrize("how", ["error", "not run", "runner"])
def test_a_run_that_is_not_whole_says_so(page, how):
    metadata = {"workbook": {"incomplete": "stopped after an hour"}} if how == "runner" else {}
    last = cell("1", *([v4.new_output("error", ename="E", evalue="", traceback=["E"])] if how == "error" else []))
    last.execution_count = None if how == "not run" else 1
    assert soup(page(markdown("# Title"), last, **metadata)).select_one(".banner")
    assert not soup(page(*chapter())).select_one(".banner")


def test_page_is_valid_for_readers_of_all_kinds(page):
    html = soup(page(*chapter()))
    assert html.html["lang"] == "en"
    assert html.title.get_text() == "Noise to language"
    assert html.find(id=html.select_one("a.skip")["href"][1:]).name == "main"
    levels = [int(heading.name[1]) for heading in html(re.compile(r"^h\d$"))]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    identifiers = [tag["id"] for tag in html(id=True)]
    assert len(identifiers) == len(set(identifiers))


def test_a_page_over_a_megabyte_is_refused_and_nothing_is_written(page, tmp_path):
    with pytest.raises(WorkbookError, match="more than 1 MB"):
        page(cell("1", v4.new_output("stream", text="many words " * 100_000)))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["02_second.ipynb"]


def test_nbconvert_and_the_export_menu_make_the_same_page(tmp_path):
    source = tmp_path / "01_first.ipynb"
    nbformat.write(v4.new_notebook(cells=chapter()), source)
    export(source, tmp_path / "ours.html")
    ours = (tmp_path / "ours.html").read_text(encoding="utf-8")
    asked_by_lab = {"metadata": {"name": "01_first", "modified_date": "today"}, "config_dir": str(tmp_path)}
    assert get_exporter("workbook")().from_notebook_node(chapters.read(source), resources=asked_by_lab)[0] == ours
    command = [sys.executable, "-m", "nbconvert", "--to", "workbook", "--output", "theirs", str(source)]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    assert (tmp_path / "theirs.html").read_text(encoding="utf-8") == ours


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no such notebook"),
        ("", "not a notebook (Expecting value"),
        ("{", "not a notebook (Expecting property name"),
        (b"\xff\x00", "not a notebook ('utf-8' codec can't decode"),
        ("[]", "not a notebook (its JSON is a list"),
        ("{}", "not a notebook (it has nbformat None"),
        ('{"cells": [], "metadata": {}, "nbformat": 5, "nbformat_minor": 0}', "not a notebook (it has nbformat 5"),
        ('{"metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "not a notebook ("),
        ('{"cells": [{"cell_type": "code", "source": "1", "metadata": {}}], "metadata": {}, "nbformat": 4, '
         '"nbformat_minor": 5}', "not a notebook ('outputs' is a required property"),
        ('{"cells": [1], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "not a notebook ("),
        ("a folder", "not a notebook that can be read (Is a directory)"),
    ],
)  # fmt: skip
def test_a_missing_or_broken_notebook_is_told_plainly(tmp_path, capsys, content, reason):
    path = tmp_path / "x.ipynb"
    if content == "a folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["export", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {path}: {reason}")
    assert said.count("\n") == 1
    assert not path.with_suffix(".html").exists()


def test_a_notebook_of_an_older_format_has_a_page(tmp_path):
    old = {"worksheets": [{"cells": [{"cell_type": "markdown", "source": "words of old"}]}], "metadata": {"name": ""}}
    (tmp_path / "x.ipynb").write_text(json.dumps(old | {"nbformat": 3, "nbformat_minor": 0}), encoding="utf-8")
    export(tmp_path / "x.ipynb", tmp_path / "x.html")
    assert "words of old" in (tmp_path / "x.html").read_text(encoding="utf-8")


def encoded(kind):
    image = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(image, kind)
    return base64.b64encode(image.getvalue()).decode("ascii")


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="3" height="2"><rect width="3" height="2"/></svg>'
PLOTLY = {"application/vnd.plotly.v1+json": {"data": []}, "text/html": "<div><script>draw()</script><div></div></div>"}


def drawn(data, alt="A red field."):
    metadata = {mime: {"alt": alt} for mime in data if mime.startswith("image/")}
    return cell("1", v4.new_output("display_data", data, metadata=metadata))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"image/svg+xml": SVG, "text/plain": "x"}, "svg+xml"),
        ({"image/svg+xml": SVG.replace(' xmlns="http://www.w3.org/2000/svg"', "")}, "svg+xml"),
        ({"image/jpeg": encoded("jpeg"), "text/plain": "x"}, "jpeg"),
        ({"image/png": encoded("png"), "image/svg+xml": SVG}, "webp"),
        (PLOTLY | {"image/png": encoded("png")}, "webp"),
        (PLOTLY | {"image/svg+xml": SVG, "text/plain": "x"}, "svg+xml"),
    ],
)
def test_a_figure_of_each_type_is_kept_and_has_alt_text(page, data, kind):
    html = soup(page(drawn(data)))
    assert html.figure.img["alt"] == "A red field."
    head, _, content = html.figure.img["src"].partition(",")
    assert head == f"data:image/{kind};base64"
    if kind == "svg+xml":
        assert b"http://www.w3.org/2000/svg" in base64.b64decode(content)
    with pytest.raises(WorkbookError, match=r"02_second\.ipynb, cell 1: a figure has no alt text"):
        page(drawn(data, alt=" "))


@pytest.mark.parametrize(
    "data",
    [
        PLOTLY,
        PLOTLY | {"text/plain": "Figure()"},
        {"application/vnd.vegalite.v5+json": {}, "text/plain": "<VegaLite 5 object>"},
        {"text/html": "<div id='a'></div><script>bokeh()</script>", "application/vnd.bokehjs_exec.v0+json": ""},
        {"text/html": f"<div><img src='data:image/png;base64,{encoded('png')}'></div>"},
        {"text/html": "<iframe srcdoc='a map'></iframe>", "text/plain": "<folium.Map>"},
        {"text/html": SVG},
        {"image/gif": encoded("gif"), "text/plain": "<Image>"},
        {"application/pdf": "JVBERi0="},
        {"application/javascript": "alert(1)", "text/plain": "<Javascript>"},
        {"image/png": "bm8gaW1hZ2U="},
        {"image/jpeg": "***"},
        {"image/svg+xml": "<svg"},
        {"image/svg+xml": "<html></html>"},
    ],
)
def test_a_figure_that_would_be_missing_is_refused(page, data):
    with pytest.raises(WorkbookError, match=r"02_second\.ipynb, cell 1: (a figure|an output) .*\. \w+"):
        page(drawn(data))


def test_words_beside_a_figure_that_is_left_out_are_kept_and_name_it(page):
    table = "<table><tr><td>one</td><td><img src='x.png' alt='a face'><iframe></iframe></td></tr></table>"
    html = soup(page(cell("1", shown(text_html=table + "<script>x()</script>"))))
    assert html.main.table.get_text() == "one[a face: left out][iframe: left out]"
    bar = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "100% 5/5"}
    style = {"text/html": "<style>b {}</style>", "text/plain": "<HTML object>"}
    assert "100% 5/5" in page(drawn(bar), drawn(style))


MEASURE = """<!DOCTYPE html><body><iframe id="page" width="400" height="900" srcdoc="{page}"></iframe>
<iframe id="control" srcdoc="<img src='http://127.0.0.1:9/x.png'>"></iframe><pre id="found"></pre><script>
onload = () => setTimeout(() => {{
  const fetched = name => document.getElementById(name).contentWindow.performance.getEntriesByType("resource")
    .map(entry => entry.name).filter(name => !name.startsWith("data:"));
  const page = document.getElementById("page").contentDocument;
  document.getElementById("found").textContent = JSON.stringify({{
    page: fetched("page"), control: fetched("control"), width: page.documentElement.scrollWidth,
    source: [...page.querySelectorAll("figure source")].findIndex(
      source => source.srcset === page.querySelector("figure img").currentSrc),
    headlines: [...page.querySelectorAll("svg [href]")].filter(part => part.getBoundingClientRect().width > 300).length,
    sideways: page.querySelector("figure img").getBoundingClientRect().right,
    paper: getComputedStyle(page.body).backgroundColor}});
}}, 300);
</script></body>"""


@pytest.mark.parametrize("dark", [False, True])
def test_in_a_browser_nothing_is_fetched_nothing_overflows_and_figures_follow_the_theme(page, chromium, tmp_path, dark):
    measure = tmp_path / "measure.html"
    cells = [*chapter(), cell("1", shown_record()), cell("2", figure_output(headline=True))]
    escaped = page(*cells).replace("&", "&amp;").replace('"', "&quot;")
    measure.write_text(MEASURE.format(page=escaped), encoding="utf-8")
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    dom = chromium("--dump-dom", "--virtual-time-budget=5000", *scheme, measure.as_uri())
    found = json.loads(soup(dom).find(id="found").get_text())
    assert found["control"] == ["http://127.0.0.1:9/x.png"]  # the measurement would notice
    assert found["page"] == []
    assert found["width"] <= 400
    assert found["source"] == (0 if dark else 1)  # of a narrow screen
    assert found["sideways"] <= 400
    assert found["headlines"] == 2  # at the head and in its place, in one rendering
    assert found["paper"] == ("rgb(21, 23, 27)" if dark else "rgb(255, 255, 255)")
