"""What did the run find, and what did it cost? `index.html`: chapters, claims, verdicts and costs, with links.

Beside it are written the pages of text that all chapters link to: the glossary, and what a reader's own data may be.
"""

from pathlib import Path
from typing import Any

import jinja2
from bs4 import BeautifulSoup

from helpers import files
from helpers.claims import CLAIMS
from helpers.progress import clock
from helpers.publishing import chapters, exporter, markdown
from helpers.publishing.chapters import TEXTS
from helpers.records import NOTHING_PROVEN, UNPROVEN, Verdict, chapters_of


def write_index(run: Path) -> Path:
    """Writes a run's `index.html`, which it returns, and the pages of text, in the chapters' look.

    Listed are the workbook's chapters, run or not, and all claims, judged or not.
    """
    found = chapters_of(run)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(exporter.TEMPLATE), autoescape=True)
    environment.filters["clock"] = clock
    verdicts = {label: Verdict(**of) for record in found.values() for label, of in record["verdicts"].items()}
    unproven = any(record["profile"] == UNPROVEN for record in found.values())
    rows = [_chapter(chapter, run) | {"record": found.get(chapter.name)} for chapter in chapters.chapters()]
    page = environment.get_template("index.html.j2").render(
        title="Raising a Language Model",
        run=run.name,
        chapters=rows,
        pages={row["chapter"].number: row["page"] for row in rows if row["page"]},
        claims=[(label, claim, verdicts.get(label)) for label, claim in CLAIMS.items()],
        unproven=NOTHING_PROVEN if unproven else "",
        environment=list(found.values())[-1]["environment"] if found else None,
        repository=exporter.repository(),
    )
    for name, source in TEXTS.items():
        files.write_text(run / name, _text_page(environment, files.ROOT / source))
    files.write_text(run / "index.html", page)
    return run / "index.html"


def _text_page(environment: jinja2.Environment, source: Path) -> str:
    """Returns a Markdown file of the workbook as a page; of its links to other files those stay that have a page."""
    headings: list[tuple[int, str, str]] = []
    text = markdown.to_html(source.read_text(encoding="utf-8"), True, headings)
    page = environment.get_template("text.html.j2").render(title=headings[0][2], text=text)
    soup = BeautifulSoup(page, "html.parser")
    pages = {(files.ROOT / file).resolve(): name for name, file in TEXTS.items()}
    for link in soup.select("main section a[href]"):
        address = str(link["href"])
        if not address.startswith(("#", "https://")):
            if name := pages.get((source.parent / address).resolve()):
                link["href"] = name
            else:
                link.unwrap()
    exporter.lay_out(soup)
    exporter.refuse_requests(soup, source.name)
    return str(soup)


def _chapter(chapter: chapters.Chapter, run: Path) -> dict[str, Any]:
    """Returns what the index shows of a chapter; where its last execution failed, of what ran of it."""
    failed = run / f"{chapter.name}.failed.ipynb"
    executed = failed if failed.exists() else run / f"{chapter.name}.ipynb"
    page = executed.with_suffix(".html")
    incomplete = chapters.incomplete(chapters.read(executed)) if executed.exists() else ""
    return {"chapter": chapter, "page": page.name if page.exists() else "", "incomplete": incomplete}
