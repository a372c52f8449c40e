"""How does an executed chapter become a page? One HTML file that needs nothing but itself, from the notebook alone.

`jupyter nbconvert --to workbook` and JupyterLab's export menu find `WorkbookExporter` through its entry point and make
the same page as `export`. nbconvert does the conversion, without JavaScript; the page asks no other host for anything.
"""

import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from bs4 import BeautifulSoup, Tag
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from traitlets.config import Config

from helpers import files
from helpers.plotting import DARK_PNG, NARROW_DARK_PNG, NARROW_PNG
from helpers.progress import clock
from helpers.publishing import chapters, figures, markdown, summary
from helpers.records import OUTCOMES, VERDICTS

TEMPLATE = Path(__file__).parent / "template"
MOST_BYTES = 1_000_000
# What a table's cell holds if its column is set flush right: a number, an interval, both, or none.
NUMBER = re.compile(r"[-−+±]?[\d.,]+(e[-+]?\d+)?\s?[%×]?(\s*[\[(±].*)?|\[.*\]|nan|–|")
LONG = 40  # letters, from which on a table's cell is prose, which is not squeezed into a word a line
# The words that the page colours, as classes of its style sheet.
COLOURED = {word.replace(" ", "-") for word in (*OUTCOMES, *VERDICTS)}


def export(notebook: Path, page: Path) -> None:
    """Writes an executed notebook as a page, whole or not at all.

    Raises:
        WorkbookError: it is no notebook, a formula does not convert, a figure has no alt text or needs a script, the
            page would ask another host for something, or it is larger than 1 MB.
    """
    html, _ = WorkbookExporter().from_notebook_node(chapters.read(notebook), {"metadata": {"name": notebook.stem}})
    files.write_text(page, html)


class WorkbookExporter(HTMLExporter):
    """Exports a chapter as one self-contained page."""

    export_from_notebook = "Workbook page"

    @property
    def default_config(self) -> Config:
        """What is shown of an output, and nbconvert's steps before the template."""
        config = super().default_config
        config.NbConvertBase.display_data_priority = ["text/html", "text/markdown", *figures.TYPES, "text/plain"]
        config.CoalesceStreamsPreprocessor.enabled = True  # a line that overwrites itself is shown in its last state
        config.TagRemovePreprocessor.remove_cell_tags = {"papermill-error-cell-tag"}  # the page has its own banner
        config.WorkbookExporter.template_name = TEMPLATE.name
        config.WorkbookExporter.template_file = "chapter.html.j2"
        config.WorkbookExporter.extra_template_basedirs = [str(TEMPLATE.parent)]
        config.WorkbookExporter.preprocessors = [figures.keep, summary.prepare]
        return config

    def default_filters(self) -> Iterable[tuple[str, Any]]:
        """nbconvert's filters and the template's own."""
        yield from super().default_filters()
        yield from {"prose": prose, "address": figures.address, "clock": clock}.items()
        yield from {"clean": markdown.clean, "incomplete": chapters.incomplete, "chapter_title": chapters.title}.items()

    def from_notebook_node(  # type: ignore[override]  # as nbconvert's own exporters do: they return text
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """Converts a notebook; see `export` for the errors."""
        html, resources = super().from_notebook_node(nb, resources, **kw)
        soup = BeautifulSoup(html, "html.parser")
        name = resources["metadata"]["name"]
        lay_out(soup)
        refuse_requests(soup, name)
        html = str(soup)
        if (size := len(html.encode())) > MOST_BYTES:
            reason = f"the page has {size / 1e6:.2f} MB, more than {MOST_BYTES / 1e6:.0f} MB"
            raise files.at(name, reason, "Show fewer or smaller figures, or less output.")
        return html, resources

    def _init_resources(self, resources: dict[str, Any] | None) -> dict[str, Any]:
        resources = super()._init_resources(resources)
        resources["before"], resources["after"] = chapters.neighbours(resources["metadata"]["name"])
        resources |= {"dark": DARK_PNG, "narrow": NARROW_PNG, "narrow_dark": NARROW_DARK_PNG}
        return resources | {"open": summary.OPEN, "repository": repository(), "headings": []}


@pass_context
def prose(context: Context, source: str, trusted: bool) -> str:
    """Renders Markdown: a cell, whose headings go into the page's contents, or what a cell displayed, not trusted."""
    attachments = context["cell"].get("attachments", {})
    try:
        return markdown.to_html(source, trusted, context["resources"]["headings"], attachments=attachments)
    except markdown.BadFormula as error:
        raise files.at(_place(context), str(error), "Write it with commands that latex2mathml knows.") from error


def repository() -> str:
    """Returns the address of the workbook's repository; empty where CITATION.cff names none."""
    return yaml.safe_load((files.ROOT / "CITATION.cff").read_text(encoding="utf-8")).get("repository-code", "")


def _place(context: Context) -> str:
    """Names the notebook and the cell that is being rendered."""
    number = next(i for i, cell in enumerate(context["nb"].cells, 1) if cell is context["cell"])
    return f"{context['resources']['metadata']['name']}.ipynb, cell {number}"


def lay_out(soup: BeautifulSoup) -> None:
    """Puts the box of what was found under the title, lays out tables, and colours outcomes."""
    if (box := soup.select_one("main > .found")) and (title := soup.select_one("main h1")):
        title.insert_after(box)
    for table in soup.select("main table"):
        _lay_out_table(table)
        table.wrap(soup.new_tag("div", attrs={"class": "scroll", "tabindex": "0"}))
    for word in soup.select("main td, .prediction > strong:first-child"):
        outcome = word.get_text(strip=True).removeprefix("Prediction ").rstrip(".").replace(" ", "-")
        if outcome in COLOURED:
            word["class"] = outcome


def _lay_out_table(table: Tag) -> None:
    """Joins a pandas index's names with the columns', sets numbers flush right, and gives prose its width."""
    heads = table.select("thead tr")
    names = [row.find_all("th") for row in heads]
    if len(heads) == 2 and len(names[0]) == len(names[1]):
        for column, index in zip(*names, strict=True):
            column.string = column.get_text(strip=True) or index.get_text(strip=True)
        heads[1].decompose()
    rows = [row.find_all(["td", "th"]) for row in table.find_all("tr")]
    for column in itertools.zip_longest(*rows):
        cells = [cell for cell in column if cell]
        texts = [cell.get_text(strip=True) for cell in cells if cell.name == "td"]
        kind = "long" if max(map(len, texts), default=0) > LONG else ""
        if any(texts) and all(map(NUMBER.fullmatch, texts)):
            kind = "number"
        for cell in cells if kind else ():
            cell["class"] = kind


def refuse_requests(soup: BeautifulSoup, name: str) -> None:
    """Raises where a page would fetch something or run a script: an image by its address, a style sheet, a frame."""
    remedy = "Take it out of the Markdown cell; embed an image by pasting it as an attachment."
    for element in soup(["script", "link", "iframe", "object", "embed", "base", "form"]):
        raise files.at(name, f"the page holds a <{element.name}>, which it must not", remedy)
    for element in soup.find_all(True):
        for attribute, value in element.attrs.items():
            value = str(value)
            fetched = attribute in {"src", "srcset", "poster", "background", "data"} and not value.startswith("data:")
            if attribute in {"href", "xlink:href"} and element.name not in {"a", "area"}:  # of a drawing's parts
                fetched = not value.startswith(("data:", "#"))
            if fetched or attribute.startswith("on") or (attribute == "style" and "url(" in value):
                raise files.at(name, f"the page would fetch or run {attribute}={value[:80]!r}", remedy)
    for style in soup("style"):
        if re.search(r"url\(|@import", style.get_text()):
            raise files.at(name, "a style of the page fetches something", remedy)
