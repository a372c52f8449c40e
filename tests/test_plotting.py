"""A figure must be readable on light and dark pages, for all eyes, and never cut or covered."""

import base64
import io
import itertools

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers import plotting
from helpers.publishing.exporter import TEMPLATE


def drawn():
    figure, axes = plotting.figure(1, 2)
    for ax in axes:
        for name in ("model", "a smoothed 5-gram with a long name", "unigram", "xz, primed with the training text"):
            ax.plot([0, 1], [1, 2], label=name)
        ax.set(xlabel="tokens seen", ylabel="bits per byte, a label of some length", title="A title")
    return figure, axes


@pytest.fixture(scope="module")
def rendered():
    figure, axes = drawn()
    axes[0].text(0, 1, "a remark")
    return figure, axes, *plotting.render(figure, "loss", "Loss falls from 4 to 2.", "The loss.")


def image(data, mime):
    return Image.open(io.BytesIO(base64.b64decode(data[mime]))).convert("RGB")


def test_both_renderings_stand_on_the_pages_own_paper(rendered):
    *_, data, metadata = rendered
    light, dark = image(data, "image/png"), image(data, plotting.DARK_PNG)
    assert light.size == dark.size
    assert light.size[0] // 2 == metadata["image/png"]["width"]
    assert "#{:02x}{:02x}{:02x}".format(*light.getpixel((0, 0))) == plotting.PAPER
    assert "#{:02x}{:02x}{:02x}".format(*dark.getpixel((0, 0))) == plotting.DARK[plotting.PAPER]
    style = (TEMPLATE / "style.css").read_text(encoding="utf-8")
    assert f"--paper: {plotting.PAPER}" in style
    assert f"--paper: {plotting.DARK[plotting.PAPER]}" in style


def test_words_and_lines_are_light_in_the_dark(rendered):
    *_, data, _ = rendered
    for bright, dim in (("image/png", plotting.DARK_PNG), (plotting.NARROW_PNG, plotting.NARROW_DARK_PNG)):
        light, dark = (image(data, mime) for mime in (bright, dim))
        becomes = {light.getpixel(place): dark.getpixel(place) for place in np.ndindex(light.size)}
        named = {f"#{bytes(was).hex()}": f"#{bytes(now).hex()}" for was, now in becomes.items()}
        assert named[plotting.INK] == plotting.DARK[plotting.INK]
        assert named[plotting.MUTED] == plotting.DARK[plotting.MUTED]
        assert named[plotting.PALETTE[0]] == plotting.DARK[plotting.PALETTE[0]]
        assert named[plotting.PALETTE[1]] == plotting.PALETTE[1]


def test_on_a_narrow_screen_panels_are_stacked_and_keep_their_labels():
    figure, axes = plotting.figure(1, 2, sharey=True)
    for ax in axes:
        ax.plot([0, 1], [1, 2])
        ax.set_title("A title that is much too long for one half of the figure's width, by far")
    axes[0].set_ylabel("accuracy")
    data, metadata = plotting.render(figure, "two", "Two panels.")
    wide, narrow = image(data, "image/png"), image(data, plotting.NARROW_PNG)
    assert narrow.size == image(data, plotting.NARROW_DARK_PNG).size
    assert [int(pixels / 1.5) for pixels in narrow.size] == metadata["image/png"]["narrow"]
    assert narrow.size[0] < 0.62 * wide.size[0]
    upper, lower = (ax.get_position() for ax in axes)
    assert lower.y1 < upper.y0
    assert lower.x0 == pytest.approx(upper.x0)
    assert axes[1].get_ylabel() == "accuracy"
    assert all(label.get_visible() for label in axes[1].get_yticklabels())
    assert "\n" in axes[0].get_title("left")


def test_the_name_of_a_level_covers_nothing_and_is_not_cut():
    figure, axes = plotting.figure()
    axes.plot(range(11), [0.5, 0.52, 0.55, 0.6, 0.7, 0.8, 0.9, 0.98, 0.99, 1.0, 1.0], label="model")
    plotting.level(axes, 0.5, "chance", plotting.CHANCE)
    plotting.level(axes, 1.0, "the best possible", plotting.FLOOR)
    plotting.level(axes, 9.9, "the end of the text", plotting.FLOOR, upright=True)
    plotting.render(figure, "levels", "A curve and levels.")
    figure.draw_without_rendering()  # in the resolution in which boxes are measured here
    boxes = [text.get_window_extent() for text in axes.texts]
    curve = axes.transData.transform(axes.lines[0].get_path().interpolated(50).vertices)
    for box in boxes:
        assert axes.bbox.padded(4).containsx(box.x0)
        assert axes.bbox.padded(4).containsx(box.x1)
        assert axes.bbox.padded(4).containsy(box.y0)
        assert axes.bbox.padded(4).containsy(box.y1)
        assert not any(box.padded(-1).contains(*point) for point in curve)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_long_names_of_rows_are_broken_and_do_not_touch():
    figure, axes = plotting.figure(height=1.5)
    names = [f"{number}, a method with a name of very many words" for number in ("one", "two", "three", "four")]
    table = pd.DataFrame({"method": names, "kind": "all", "value": 1.0, "low": 0.9, "high": 1.1})
    plotting.dots(axes, table, "method", "kind", {"all": plotting.OURS})
    plotting.render(figure, "names", "Four methods.")
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all("\n" in label.get_text() for label in axes.get_yticklabels())
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_nothing_is_cut_and_the_legend_covers_no_data(rendered):
    figure, axes, *_ = rendered
    frame = figure.bbox
    for artist in (*axes, *figure.legends):
        box = artist.get_tightbbox()
        assert box.x0 >= frame.x0 - 1
        assert box.x1 <= frame.x1 + 1
        assert box.y0 >= frame.y0 - 1
        assert box.y1 <= frame.y1 + 1
    (legend,) = figure.legends
    assert not any(legend.get_window_extent().overlaps(ax.get_window_extent()) for ax in axes)
    assert len(legend.get_texts()) == 4  # each label once, though both axes have it


def test_the_text_for_who_cannot_see_it_goes_with_the_figure(rendered):
    *_, data, metadata = rendered
    assert data["text/plain"] == metadata["image/png"]["alt"] == "Loss falls from 4 to 2."
    with pytest.raises(ValueError, match="alt"):
        plotting.render(drawn()[0], "loss", " ")


@pytest.mark.parametrize("name", ["../loss", "Loss", "a b", ""])
def test_a_name_that_is_no_file_name_is_refused(name):
    with pytest.raises(ValueError, match="name"):
        plotting.render(drawn()[0], name, "Loss falls.")


def test_the_same_figure_gives_the_same_bytes():
    def small():
        figure, axes = plotting.figure(height=1)
        axes.plot([0, 1])
        return plotting.render(figure, "loss", "x")

    assert small() == small()
