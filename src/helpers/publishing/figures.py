"""Is every figure on the page? PNG, SVG and JPEG with alt text; what cannot be shown is refused, never left out unsaid.

A page runs no script, so of an interactive figure only a still one can be kept, where the output holds one.
"""

import base64
import functools
import io
from typing import Any
from xml.etree import ElementTree

from nbformat import NotebookNode
from PIL import Image

from helpers import files
from helpers.progress import PROGRESS_MIME
from helpers.publishing import markdown
from helpers.records import RECORD_MIME

PNG, SVG, JPEG = TYPES = ("image/png", "image/svg+xml", "image/jpeg")  # the first is shown where there are several
WORDS = ("text/html", "text/markdown", "text/plain", "text/latex", "application/json")
# What is shown otherwise, or stands for itself in words: a bar of progress, most often.
BESIDE = (RECORD_MIME, PROGRESS_MIME, "application/vnd.jupyter.widget-view+json")
SVG_NAMESPACE = "http://www.w3.org/2000/svg"
SHOW = "Show it with `helpers.plotting.show`"


def keep(notebook: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
    """Checks the figures in outputs, and leaves of each output what a page can show; a step of nbconvert's.

    Raises:
        WorkbookError: a figure has no alt text, is none, or needs a script; it is named by its cell.
    """
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", []):
            if reason := _missing(output):
                raise files.at(f"{resources['metadata']['name']}.ipynb, cell {number}", *reason)
    return notebook, resources


def _missing(output: NotebookNode) -> tuple[str, str] | None:
    """Says why an output, or a part of it, would be missing on a page, and the remedy; None if nothing would."""
    data = output.get("data", {})
    shown = next((mime for mime in TYPES if mime in data), None)
    html = data.get("text/html", "")
    if html and not markdown.has_words(html):
        if shown:  # a still figure beside one that needs a script
            del data["text/html"]
        elif markdown.has_figure(html):
            return "a figure needs a script, or is in HTML, of which a page shows words and tables alone", f"{SHOW}."
    if "text/html" in data or "text/markdown" in data:
        return None
    if shown:
        return _faulty(data[shown], output.metadata.get(shown, {}), shown)
    lost = [mime for mime in data if mime not in (*WORDS, *BESIDE) and not mime.startswith("image/x-")]
    if lost:
        return f"an output is of type {lost[0]}, which a page cannot show", f"{SHOW}, as PNG, SVG or JPEG."
    return None


def _faulty(figure: str, about: dict[str, Any], mime: str) -> tuple[str, str] | None:
    """Says what is wrong with a figure, and the remedy; None if nothing is."""
    if not str(about.get("alt") or "").strip():
        return "a figure has no alt text", f'{SHOW}, or display it with metadata={{"{mime}": {{"alt": "..."}}}}.'
    try:
        address(figure, mime)
    except (ValueError, SyntaxError, OSError) as error:  # of base64, XML, an image
        return f"a figure of type {mime} cannot be read ({error})", "Draw it again."
    return None


@functools.lru_cache(maxsize=64)  # one is checked and shown, the headline shown twice
def address(figure: str, mime: str) -> str:
    """Returns a figure, as a notebook has it, as an address that holds all of it.

    A PNG becomes the same image in WebP, a third smaller and not a pixel different.
    """
    if mime == SVG:
        root = ElementTree.fromstring(figure)
        if root.tag not in ("svg", f"{{{SVG_NAMESPACE}}}svg"):
            raise ValueError(f"it begins with <{root.tag}>")
        if root.tag == "svg":  # browsers draw none that does not say so
            figure = figure.replace("<svg", f'<svg xmlns="{SVG_NAMESPACE}"', 1)
        return f"data:{mime};base64,{base64.b64encode(figure.encode()).decode('ascii')}"
    image = Image.open(io.BytesIO(base64.b64decode(figure)))
    if mime == JPEG:
        image.load()
        return f"data:{mime};base64,{''.join(figure.split())}"
    smaller = io.BytesIO()
    image.save(smaller, "webp", lossless=True, quality=40, method=3)
    return f"data:image/webp;base64,{base64.b64encode(smaller.getvalue()).decode('ascii')}"
