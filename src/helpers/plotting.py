"""What does it look like? One look for every figure: seaborn's, in colours that colour-blind readers can tell apart.

A chapter draws on `figure()` and ends with `show()`, which renders the figure for light and for dark pages and carries
the text that a reader who cannot see it needs. Left out: interactive figures, which would need scripts in the page.
"""

from __future__ import annotations

import base64
import io
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#949494")
"""seaborn's `colorblind` without the three colours that are too pale on white."""

OURS, SCRATCH, RIVAL, OTHER, UNTRAINED = PALETTE[:5]
"""One colour for one role in all chapters: our model; the same without what it is tested for, such as a trained start;
the strongest simple method; another way to do the same, such as another objective or LoRA; a model that has not learned
yet, untrained or asked without being tuned."""

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

DARK_PNG = "image/x-dark+png"
"""MIME type of the dark rendering in a notebook's output: JupyterLab passes over it, the exporter uses it."""

WIDTH = 6.8  # inches: at 96 pixels an inch, the width of the page's column
STEPS = "training steps (logarithmic)"

DPI = 192  # two pixels of the image for each of the page's, so that it is sharp on fine screens


def theme() -> None:
    """Sets the workbook's look for all figures made from now on."""
    import seaborn as sns

    greys = {
        "figure.facecolor": PAPER,
        "axes.facecolor": PAPER,
        "text.color": INK,
        "axes.titlecolor": INK,
        "axes.labelcolor": MUTED,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "axes.edgecolor": MUTED,
        "grid.color": GRID,
    }
    shapes = {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlepad": 8,
        "figure.constrained_layout.h_pad": 0.07,
        "figure.constrained_layout.w_pad": 0.07,
        "axes.titlesize": 12,
        "axes.labelsize": 11,
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "legend.fontsize": 10.5,
        "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same figure on every machine
    }
    sns.set_theme(style="whitegrid", palette=list(PALETTE), rc=greys | shapes)


def figure(rows: int = 1, columns: int = 1, height: float = 3.6, **subplots: Any) -> tuple[Figure, Any]:
    """Opens a figure as wide as the page's column.

    Args:
        rows: rows of axes.
        columns: columns of axes.
        height: height in inches; the width is `WIDTH`.
        subplots: further arguments of `Figure.subplots`, such as `sharey=True`.

    Returns:
        The figure and its axes: one, or an array of them.
    """
    from matplotlib.figure import Figure

    theme()
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

    Args:
        axes: where; the first category comes on top.
        table: as `records.frame` gives it; one line for each pair of category and series.
        rows: the column of the categories.
        series: the column by which dots of a category are told apart.
        colours: of each series, in the order in which they are drawn; series that it does not name are left out.
        each: single values, such as those of the seeds, drawn faintly behind, with the same columns.
    """
    categories = list(dict.fromkeys(table[rows]))
    step = 0.7 / max(1, len(colours))
    for i, (name, colour) in enumerate(colours.items()):
        shift = (i - (len(colours) - 1) / 2) * step
        if each is not None:
            faint = each[each[series] == name]
            places = [categories.index(category) + shift for category in faint[rows]]
            axes.plot(faint["value"], places, "o", ms=3, color=colour, alpha=0.35)
        mine = table[table[series] == name]
        places = [categories.index(category) + shift for category in mine[rows]]
        axes.hlines(places, mine["low"], mine["high"], color=colour, lw=1.6)
        axes.plot(mine["value"], places, "o", ms=6, color=colour, label=name)
    axes.set_yticks(range(len(categories)), categories)
    axes.set_ylim(len(categories) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def curves(
    axes: Axes, table: pd.DataFrame, x: str, series: str, colours: Mapping[str, str], each: pd.DataFrame | None = None
) -> None:
    """Draws measurements over a quantity, such as training steps or labels, with their intervals as upright bars.

    Args:
        axes: where.
        table: as `records.frame` gives it; one line for each pair of x and series.
        x: the column of the quantity.
        series: the column by which the curves are told apart.
        colours: of each series, in the order in which they are drawn; series that it does not name are left out.
        each: single values, such as those of the seeds, drawn faintly behind, with the same columns.
    """
    for name, colour in colours.items():
        if each is not None:
            faint = each[each[series] == name]
            axes.plot(faint[x], faint["value"], "o", ms=3, color=colour, alpha=0.35)
        mine = table[table[series] == name].sort_values(x)
        axes.plot(mine[x], mine["value"], marker="o", ms=4, color=colour, label=name)
        axes.vlines(mine[x], mine["low"], mine["high"], color=colour, lw=1.4, alpha=0.7)


def level(axes: Axes, value: float, name: str, colour: str, *, upright: bool = False) -> None:
    """Draws a line that nothing measured moves, such as chance or the floor, and writes its name beside it."""
    line = axes.axvline if upright else axes.axhline
    line(value, color=colour, ls=":" if colour == CHANCE else "--", lw=1.4, zorder=1)
    place = (value, 1.0) if upright else (1.0, value)
    across = axes.get_xaxis_transform() if upright else axes.get_yaxis_transform()
    axes.text(*place, name, transform=across, color=colour, size=9, ha="left" if upright else "right", va="bottom")


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
    """Renders a figure for light and for dark pages, its legend above the axes and never over data.

    The figure is left in its dark colours.

    Args:
        figure: the figure; all its axes' labelled artists go into one legend.
        name: unique in its chapter, of lower-case letters, digits, `-` and `_`; a published figure's file name.
        alt: what the figure shows, for a reader who cannot see it.
        caption: what to see in it; stands under it on the page.

    Returns:
        A MIME bundle with both renderings as PNG, and its metadata.

    Raises:
        ValueError: the name cannot be a file name, or the text is empty.
    """
    from matplotlib import pyplot as plt

    if not re.fullmatch(r"[a-z0-9_-]+", name):
        raise ValueError(f"figure name {name!r}: use lower-case letters, digits, '-' and '_'")
    if not alt.strip():
        raise ValueError(f"figure {name!r}: say in `alt` what it shows, for a reader who cannot see it")
    _gather_legends(figure)
    light, size = _png(figure)
    _darken(figure)
    dark, _ = _png(figure)
    plt.close(figure)  # a figure made by pyplot would otherwise be shown a second time
    shown = {"name": name, "alt": alt, "caption": caption, "width": size[0] // 2, "height": size[1] // 2}
    return {"image/png": light, DARK_PNG: dark, "text/plain": alt}, {"image/png": shown}


def _gather_legends(figure: Figure) -> None:
    """Replaces the axes' legends by one above them, in as many columns as fit the figure's width."""
    labelled: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        labelled |= dict(zip(labels, handles, strict=True))
        if legend := axes.get_legend():
            legend.remove()
    for columns in range(len(labelled), 0, -1):
        above = figure.legend(
            list(labelled.values()), list(labelled), loc="outside upper left", ncols=columns, frameon=False
        )
        if above.get_window_extent().width <= figure.bbox.width or columns == 1:
            break
        above.remove()


def _png(figure: Figure) -> tuple[str, tuple[int, int]]:
    """Returns the figure as base64 of a PNG of 64 colours, a quarter of the full one's bytes, and its pixels."""
    import numpy as np
    from PIL import Image

    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    image = Image.open(drawn).convert("RGB")
    own = [PAPER, INK, MUTED, GRID, *PALETTE, *DARK.values()]  # stay as they are: a thin line must keep its colour
    frequent = image.quantize(64 - len(own), dither=Image.Dither.NONE).getpalette() or []
    kept = np.frombuffer(bytes.fromhex("".join(own).replace("#", "")) + bytes(frequent), np.uint8).reshape(-1, 3)
    pixels = np.asarray(image.convert("RGBA")).view(np.uint32)[..., 0]  # (height, width), a number for each colour
    codes, places = np.unique(pixels, return_inverse=True)
    found = codes.view(np.uint8).reshape(-1, 4)[:, :3].astype(int)  # (colours of the drawing, 3)
    nearest = ((found[:, None] - kept) ** 2).sum(2).argmin(1)
    small = Image.fromarray(nearest[places].reshape(pixels.shape).astype(np.uint8), "P")
    small.putpalette(kept.tobytes())
    small.save(packed, format="png", optimize=True)
    return base64.b64encode(packed.getvalue()).decode("ascii"), image.size


def _darken(figure: Figure) -> None:
    """Gives every artist whose colour is a key of `DARK` that colour's dark counterpart."""
    from matplotlib.colors import to_hex, to_rgb, to_rgba_array

    for artist in figure.findobj():
        for part in ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor"):
            if not (hasattr(artist, f"get_{part}") and hasattr(artist, f"set_{part}")):
                continue
            colours = to_rgba_array(getattr(artist, f"get_{part}")())
            for row in colours:
                row[:3] = to_rgb(DARK.get(to_hex(row), to_hex(row)))
            artist.set(**{part: colours if len(colours) > 1 else tuple(colours[0])} if len(colours) else {})
