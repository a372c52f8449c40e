"""Is the text safe and are the formulas there? Markdown, formulas and HTML of a notebook as HTML for the page.

A chapter's own Markdown may hold HTML. Markdown that a cell displayed may hold text from data or a model, so HTML in it
is shown as text. HTML that a cell displayed is reduced to tables and text: no script, style, handler, frame, image.
"""

import html
import itertools
import re
from typing import Any

import bleach
from bs4 import BeautifulSoup
from latex2mathml.converter import Converter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from helpers.files import WorkbookError

TAGS = bleach.ALLOWED_TAGS | {
    *("caption", "col", "colgroup", "table", "tbody", "td", "tfoot", "th", "thead", "tr"),
    *("br", "dd", "details", "div", "dl", "dt", "h2", "h3", "h4", "h5", "h6", "hr", "p", "pre", "section", "summary"),
    *("del", "ins", "kbd", "mark", "s", "samp", "small", "span", "sub", "sup", "u", "var"),
}
ATTRIBUTES = {
    "*": ["class", "lang", "dir", "title"],
    "a": ["href"],
    "details": ["open"],
    "td": ["colspan", "rowspan"],
    "th": ["colspan", "rowspan", "scope"],
}
UNSAFE = {"href", "src", "style", "class", "id"}  # attributes that LaTeX's \\href, \\style, \\class, \\cssId set


class BadFormula(WorkbookError):
    """A formula that has no faithful MathML."""


def mathml(formula: str, display: bool) -> str:
    """Converts a formula, LaTeX without its dollar signs, to a `<math>` element, which browsers show without a script.

    Raises:
        BadFormula: it cannot be converted, or would be shown with raw LaTeX or without its meaning.
    """
    from xml.etree import ElementTree

    try:
        element = Converter(xmlns="", display="block" if display else "inline").convert_to_element(formula)
    except Exception as error:  # latex2mathml's errors share no base class, and bare IndexErrors are among them
        raise BadFormula(f"{type(error).__name__} in the formula {formula!r}") from error
    for node in element.iter():
        raw = node.text or ""
        if "\\" in raw or (raw in {"{", "}", "&"} and node.tag != "mtext"):
            raise BadFormula(f"{raw!r} is not understood in the formula {formula!r}")
        if node.get("mathvariant", "normal") != "normal":
            raise BadFormula(f"browsers do not show {node.get('mathvariant')} letters in the formula {formula!r}")
        if UNSAFE & node.attrib.keys():
            raise BadFormula(f"links and styles are not let into a formula: {formula!r}")
        node.text = html.unescape(raw)  # the converter writes characters as references, and text as it came
    del element.attrib["xmlns"]
    element.set("alttext", formula.strip())
    return ElementTree.tostring(element, encoding="unicode")


def clean(source: str) -> str:
    """Reduces HTML that a cell displayed to harmless elements; their text is kept."""
    soup = BeautifulSoup(source, "html.parser")
    for element in soup(["script", "style", "template"]):
        element.decompose()  # with its content, which is not text
    return bleach.clean(str(soup), tags=TAGS, attributes=ATTRIBUTES, protocols=["http", "https"], strip=True)


class Renderer(IPythonRenderer):
    """Markdown as HTML with formulas as MathML.

    It is trusted if the chapter's author wrote it. If not, HTML in it is shown as text, images are named rather than
    shown, and headings are only bold, since text from data or a model has no say in the contents. The page's headings
    are remembered in `headings`, as level, identifier and HTML.
    """

    def __init__(self, trusted: bool, headings: list[tuple[int, str, str]], **options: Any) -> None:
        super().__init__(escape=not trusted, allow_harmful_protocols=False, **options)
        self.trusted, self.headings = trusted, headings

    def heading(self, text: str, level: int, **_: Any) -> str:
        """Renders a heading with an identifier that is unique on the page."""
        if not self.trusted:
            return f"<p><strong>{text}</strong></p>\n"
        words = re.findall(r"\w+", html.unescape(re.sub(r"<[^>]+>", "", text)).lower())
        base = identifier = "-".join(words) or "section"
        copies = itertools.count(2)
        while any(identifier == known for _, known, _ in self.headings):
            identifier = f"{base}-{next(copies)}"
        self.headings.append((level, identifier, re.sub(r"</?a\b[^>]*>", "", text)))
        link = f'<a class="anchor" href="#{identifier}" aria-label="Link to this section">#</a>'
        return f'<h{level} id="{identifier}">{text}{link}</h{level}>\n'

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Renders an image of the author's."""
        return super().image(text, url, title) if self.trusted else text

    def inline_math(self, body: str) -> str:
        """Renders `$formula$`."""
        return mathml(body, display=False)

    def block_math(self, body: str) -> str:
        """Renders `$$formula$$`, in a box that scrolls where the formula is wider than the page."""
        return f'<span class="formula scroll" tabindex="0">{mathml(body, display=True)}</span>'

    def latex_environment(self, name: str, body: str) -> str:
        """Renders a LaTeX environment that stands alone."""
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


def to_html(source: str, trusted: bool, headings: list[tuple[int, str, str]], **options: Any) -> str:
    """Renders Markdown; see `Renderer` for the arguments, and `mathml` for the error."""
    return MarkdownWithMath(renderer=Renderer(trusted, headings, **options)).render(source)
