"""What does it look like? One look for every figure: seaborn's, in colours that colour-blind readers can tell apart.

A chapter draws on `figure()` and ends with `show()`, which renders the figure for light and for dark pages, for wide
and for narrow screens, and carries the text that a reader who cannot see it needs.
"""

from __future__ import annotations

import base64
import io
import itertools
import re
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from PIL import Image

PALETTE = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#949494")
"""seaborn's `colorblind` without the three colours that are too pale on white."""

OURS, SCRATCH, RIVAL, OTHER, UNTRAINED = PALETTE[:5]
"""One colour for one role in all chapters: our model; the same without what it is tested for, such as a trained start;
the strongest simple method; another way to do the same; a model that has not learned yet."""

PAPER, INK, MUTED, GRID = "#ffffff", "#1f2328", "#59626e", "#e9e9e6"
CHANCE, FLOOR = MUTED, INK
"""Of the lines for what guessing gets, and for the best that is possible."""

DARK = {
    PAPER: "#15171b",
    INK: "#dcdfe4",
    MUTED: "#9aa3ae",
    GRID: "#2b2f36",
    "#000000": "#dcdfe4",
    "#424242": "#9aa3ae",  # seaborn's error bars
    PALETTE[0]: "#4ba3e3",
}
"""What each colour becomes on a dark page; colours that are not named here stand out on both."""

DARK_PNG, NARROW_PNG, NARROW_DARK_PNG = "image/x-dark+png", "image/x-narrow+png", "image/x-narrow-dark+png"
"""MIME types of renderings for the page, which JupyterLab passes over."""

WIDTH = 6.8  # inches: at 96 pixels an inch, the width of the page's column
NARROW = 4.0  # a little more than a telephone's: scaled down by a tenth, words are still readable
STEPS = "training steps (logarithmic)"

DPI = 192  # two pixels of the image for each of the page's, so that it is sharp on fine screens
NARROW_DPI = 144  # a page holds every figure four times, and has one MB


LOOK: dict[str, Any] = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor"), PAPER),
    **dict.fromkeys(("text.color", "axes.titlecolor"), INK),
    **dict.fromkeys(("axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor", "axes.edgecolor"), MUTED),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    **dict.fromkeys(("figure.constrained_layout.h_pad", "figure.constrained_layout.w_pad"), 0.07),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), 10),
    "grid.color": GRID,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "legend.fontsize": 10.5,
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same figure on every machine
}


def figure(rows: int = 1, columns: int = 1, height: float = 3.6, **subplots: Any) -> tuple[Figure, Any]:
    """Opens a figure as wide as the page's column, its height in inches; `subplots` go to `Figure.subplots`."""
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", palette=list(PALETTE), rc=LOOK)
    drawn = Figure(figsize=(WIDTH, height), layout="constrained")
    return drawn, drawn.subplots(rows, columns, **subplots)


def dots(
    axes: Axes,
    table: pd.DataFrame,
    rows: str,
    series: str,
    colours: Mapping[str, str],
    each: pd.DataFrame | None = None,
) -> None:
    """Draws measurements as dots with their intervals, a row for each category: for few points and names in words.

    The table is one of `records.frame`, with a line for each pair of what stands in its columns `rows` (the categories,
    the first on top) and `series` (by which dots of a category are told apart). Series are drawn in the order of
    `colours`, and left out if it does not name them. `each` has single values in the same columns, such as those of the
    seeds, drawn faintly behind.
    """
    categories = list(dict.fromkeys(table[rows]))
    for i, (name, colour) in enumerate(colours.items()):
        shift = (i - (len(colours) - 1) / 2) * (0.7 / len(colours))
        mine, *faint = (of[of[series] == name] for of in (table, each) if of is not None)
        for single in faint:
            places = [categories.index(category) + shift for category in single[rows]]
            axes.plot(single["value"], places, "o", ms=3, color=colour, alpha=0.35)
        places = [categories.index(category) + shift for category in mine[rows]]
        axes.hlines(places, mine["low"], mine["high"], color=colour, lw=1.6)
        axes.plot(mine["value"], places, "o", ms=6, color=colour, label=name)
    axes.set_yticks(range(len(categories)), categories)
    axes.set_ylim(len(categories) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def curves(
    axes: Axes, table: pd.DataFrame, x: str, series: str, colours: Mapping[str, str], each: pd.DataFrame | None = None
) -> None:
    """Draws measurements over a quantity, the column `x`, with intervals as upright bars; the rest is as for `dots`."""
    for name, colour in colours.items():
        mine, *faint = (of[of[series] == name].sort_values(x) for of in (table, each) if of is not None)
        for single in faint:
            axes.plot(single[x], single["value"], "o", ms=3, color=colour, alpha=0.35)
        axes.plot(mine[x], mine["value"], marker="o", ms=4, color=colour, label=name)
        axes.vlines(mine[x], mine["low"], mine["high"], color=colour, lw=1.4, alpha=0.7)


def level(axes: Axes, value: float, name: str, colour: str, *, upright: bool = False) -> None:
    """Draws a line that nothing measured moves, such as chance or the floor, and names it where nothing else stands."""
    line = axes.axvline if upright else axes.axhline
    gid = f"level {'upright' if upright else 'across'} {len(axes.texts)}"  # by which `_name_level` knows both
    line(value, color=colour, ls=":" if colour == CHANCE else "--", lw=1.4, zorder=1, gid=gid)
    across = axes.get_xaxis_transform() if upright else axes.get_yaxis_transform()
    place = (value, 1.0) if upright else (1.0, value)
    text = axes.text(*place, f" {name} ", transform=across, color=colour, size=9, gid=gid)
    text.set_in_layout(False)  # it comes to lie within the axes and needs no room beside them


def step_axis(axes: Axes, steps: Sequence[int]) -> None:
    """Gives an axis of training steps (label it `STEPS`) a logarithmic scale with a place for 0, and ticks at some."""
    axes.set_xscale("symlog", linthresh=max(1, steps[1]), linscale=0.5)
    plain_ticks(axes, [*(step for step in steps[:-1:2] if step < 0.6 * steps[-1]), steps[-1]])


def plain_ticks(axes: Axes, places: Sequence[float]) -> None:
    """Gives a logarithmic horizontal axis ticks at these places alone, with their numbers written out."""
    axes.set_xticks(places, [f"{place:g}" for place in places], minor=False)
    axes.set_xticks([], minor=True)


def show(figure: Figure, name: str, alt: str, caption: str = "", *, headline: bool = False) -> None:
    """Displays a finished figure as the output of a notebook's cell; see `render`. Call it last, and once.

    With `headline` it is also the figure in the box at the head of the chapter's page.
    """
    from IPython.display import display

    data, metadata = render(figure, name, alt, caption)
    metadata["image/png"]["headline"] = headline
    display(data, metadata=metadata, raw=True)


def render(figure: Figure, name: str, alt: str, caption: str = "") -> tuple[dict[str, str], dict[str, Any]]:
    """Renders a figure for light and dark pages, wide and narrow screens, and leaves it narrow.

    All its axes' labelled artists go into one legend above them. The name is unique in its chapter, and a published
    figure's file name. `alt` is what the figure shows, for a reader who cannot see it; the caption stands under it.

    Returns:
        A MIME bundle with the renderings as PNG, and its metadata, sizes in the page's pixels.

    Raises:
        ValueError: the name cannot be a file name, or the text is empty.
    """
    from matplotlib import pyplot as plt

    if not re.fullmatch(r"[a-z0-9_-]+", name):
        raise ValueError(f"figure name {name!r}: use lower-case letters, digits, '-' and '_'")
    if not alt.strip():
        raise ValueError(f"figure {name!r}: say in `alt` what it shows, for a reader who cannot see it")
    broken = _lay_out(figure)
    wide = _draw(figure, DPI)
    for text, whole in broken:
        text.set_text(whole)
    _lay_out(figure, least=0.9 * _stack(figure))
    narrow = _draw(figure, NARROW_DPI)
    plt.close(figure)  # a figure made by pyplot would otherwise be shown a second time
    sizes = [[pixels * 96 // dpi for pixels in image.size] for image, dpi in ((wide, DPI), (narrow, NARROW_DPI))]
    shown: dict[str, Any] = {"name": name, "alt": alt, "caption": caption, "narrow": sizes[1]}
    shown |= {"width": sizes[0][0], "height": sizes[0][1]}
    images = {"image/png": wide, DARK_PNG: _darkened(wide), NARROW_PNG: narrow, NARROW_DARK_PNG: _darkened(narrow)}
    data = {mime: _png(image) for mime, image in images.items()} | {"text/plain": alt}
    return data, {"image/png": shown}


def _stack(figure: Figure) -> float:
    """Makes a figure narrow, its panels in one column, with the labels they shared; returns the height they had."""
    panels = _panels(figure)
    heights = [axes.bbox.height / figure.dpi for axes, _ in panels]
    if panels and (grid := panels[0][1].get_gridspec()).ncols > 1:
        cells = sorted({place.num1 for _, place in panels})
        below = figure.add_gridspec(len(cells), 1)
        for axes, place in panels:
            for axis, together in ((axes.xaxis, axes.get_shared_x_axes()), (axes.yaxis, axes.get_shared_y_axes())):
                names = [getattr(other, f"get_{axis.axis_name}label")() for other in together.get_siblings(axes)]
                axis.set_label_text(axis.get_label_text() or next(filter(None, names), ""))
            axes.tick_params(labelleft=True, labelbottom=True)
            axes.set_subplotspec(below[cells.index(place.num1)])
        figure.set_figheight(figure.get_figheight() * len(cells) / grid.nrows * 0.8)
    figure.set_figwidth(NARROW)
    return min(heights, default=0.0)


def _lay_out(figure: Figure, least: float = 0.0) -> list[tuple[Text, str]]:
    """Puts the legend above, breaks what is too long for its axes, makes room for it, and names the levels.

    Panels get at least `least` inches of height. Returned are titles and labels with their words before.
    """
    figure.set_layout_engine("constrained")
    engine: Any = figure.get_layout_engine()
    _gather_legends(figure)
    rows = max((_break_names(axes, int(5 * figure.get_figwidth())) for axes in figure.axes), default=0.0)
    engine.execute(figure)  # so that axes have their places, and words their sizes in this resolution
    texts = [(axes._left_title, axes.xaxis.label, axes.yaxis.label) for axes in figure.axes]  # type: ignore[attr-defined]
    rooms = [(axes.bbox.width, axes.bbox.width, axes.bbox.height) for axes in figure.axes]
    words = [(text, text.get_text()) for of_axes in texts for text in of_axes]
    moved = False
    for (text, whole), room in zip(words, itertools.chain(*rooms), strict=True):
        box = text.get_window_extent()
        if (longest := max(box.width, box.height)) > 1.05 * room > 0:
            text.set_text(textwrap.fill(whole, max(8, int(len(whole) * room / longest))))
            moved = True
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        if any(box.x1 > other.x0 > box.x0 for box, other in itertools.pairwise(boxes)):
            axes.tick_params(axis="x", rotation=40)
            moved = True
    if moved:  # a layout takes a third of a second
        engine.execute(figure)
    panels = [(place.get_gridspec().nrows, axes.bbox.height / figure.dpi) for axes, place in _panels(figure)]
    lack = max((count * (max(rows, least) - height) for count, height in panels), default=0.0)
    if lack > 0:
        figure.set_figheight(figure.get_figheight() + lack)
        engine.execute(figure)
    for axes in figure.axes:
        for text in axes.texts:
            if str(text.get_gid()).startswith("level"):
                _name_level(axes, text)
    figure.set_layout_engine("none")  # all is in its place
    return words


def _panels(figure: Figure) -> list[tuple[Axes, Any]]:
    """Returns the axes that have a place in a grid, with their places."""
    return [(axes, place) for axes in figure.axes if (place := axes.get_subplotspec())]


def _break_names(axes: Axes, room: int) -> float:
    """Breaks names of rows that have more letters than there is room; returns the inches that the rows then need."""
    names = [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
    if max(map(len, names), default=0) <= room:
        return 0.0
    names = [textwrap.fill(name, room) for name in names]
    axes.set_yticks(axes.get_yticks(), names)
    return 0.2 * len(names) * max(name.count("\n") + 1 for name in names)


def _name_level(axes: Axes, text: Text) -> None:
    """Puts the name of a level where it covers least of what is drawn, and inside the axes."""
    drawn, inside = _drawn(axes, but=text.get_gid()), axes.bbox.padded(3)
    boxes = [other.get_window_extent() for other in axes.texts if other is not text]

    def put(place: tuple[float, int]) -> float:
        """Puts it at a share of its line, on its first or its second side; returns how bad that is."""
        along, beside = place
        if "upright" in str(text.get_gid()):
            text.set(y=along, va={1.0: "top", 0.0: "bottom"}.get(along, "center"), ha=("left", "right")[beside])
        else:
            text.set(x=along, ha={1.0: "right", 0.0: "left"}.get(along, "center"), va=("bottom", "top")[beside])
        box = text.get_window_extent()
        out = sum([box.x0 < inside.x0, box.x1 > inside.x1, box.y0 < inside.y0, box.y1 > inside.y1])
        covered = ((drawn > box.min) & (drawn < box.max)).all(1).sum() + 50 * sum(map(box.overlaps, boxes))
        return 1000 * out + covered

    put(min(itertools.product((1.0, 0.0, 0.85, 0.7, 0.55, 0.4, 0.25, 0.1), (0, 1)), key=put))


def _drawn(axes: Axes, but: str | None) -> np.ndarray:
    """Returns points on all that is drawn in an axes but one level, close to each other, in pixels; (points, 2)."""
    import numpy as np

    artists: list[Any] = [*axes.lines, *axes.collections, *axes.patches]
    drawn = (
        artist.get_transform().transform_path(path).interpolated(30).vertices
        for artist in artists
        if artist.get_gid() != but
        for path in (artist.get_paths() if hasattr(artist, "get_paths") else [artist.get_path()])
    )
    return np.concatenate([np.empty((0, 2)), *drawn])


def _gather_legends(figure: Figure) -> None:
    """Replaces all legends by one above the axes, in as many columns as fit the figure's width."""
    labelled: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        labelled |= dict(zip(labels, handles, strict=True))
    for legend in filter(None, (*(axes.get_legend() for axes in figure.axes), *figure.legends)):
        legend.remove()
    names = [textwrap.fill(label, int(figure.get_figwidth() * 12 - 6)) for label in labelled]  # letters beside a line
    for columns in range(len(labelled), 0, -1):
        above = figure.legend(list(labelled.values()), names, loc="outside upper left", ncols=columns, frameon=False)
        if above.get_window_extent().width <= figure.bbox.width or columns == 1:
            break
        above.remove()


def _draw(figure: Figure, dpi: int) -> Image.Image:
    """Draws a figure in 64 colours, a quarter of the full image's bytes."""
    import numpy as np
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, format="raw", dpi=dpi)
    width, height = (int(pixels) for pixels in figure.get_size_inches() * dpi)
    image = Image.frombytes("RGBA", (width, height), drawn.getvalue()).convert("RGB")
    kept = _rgb(PAPER, INK, MUTED, GRID, *PALETTE).astype(np.uint8)  # as they are: a thin line must keep its colour
    few = image.resize((image.width // 3, image.height // 3), Image.Resampling.NEAREST)
    frequent = np.array(few.quantize(64 - len(kept), dither=Image.Dither.NONE).getpalette(), np.uint8).reshape(-1, 3)
    apart = abs(frequent[:, None].astype(int) - kept).max(2).min(1) >= 8  # else Pillow may take it for one of ours
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([kept, frequent[apart]]).tobytes())
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


def _darkened(image: Image.Image) -> Image.Image:
    """Returns an image of few colours as it is on a dark page: each shade of one of ours on paper becomes its like."""
    import numpy as np

    ours = [*DARK, *(colour for colour in PALETTE if colour not in DARK)]
    light, dark = _rgb(*ours), _rgb(*(DARK.get(colour, colour) for colour in ours))
    paper, dark_paper = light[0], dark[0]
    colours = np.array(image.getpalette(), float).reshape(-1, 3)  # (colours, 3)
    away = light[1:] - paper  # (ours, 3)
    share = ((colours - paper) @ away.T / (away**2).sum(1)).clip(0, 1)  # (colours, ours): how much of it is on paper
    rest = colours[:, None] - paper - share[..., None] * away
    best = np.arange(len(colours)), (rest**2).sum(2).argmin(1)
    darkened = dark_paper + share[best][:, None] * (dark[1:] - dark_paper)[best[1]] + rest[best]
    image = image.copy()
    image.putpalette(darkened.round().clip(0, 255).astype(np.uint8).tobytes())
    return image


def _rgb(*colours: str) -> np.ndarray:
    import numpy as np

    return np.frombuffer(bytes.fromhex("".join(colours).replace("#", "")), np.uint8).reshape(-1, 3).astype(float)


def _png(image: Image.Image) -> str:
    """Returns an image as base64 of a PNG."""
    packed = io.BytesIO()
    image.save(packed, format="png", optimize=True)
    return base64.b64encode(packed.getvalue()).decode("ascii")
