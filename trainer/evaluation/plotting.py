"""The style of all plots: colors, empty figures, sheets of pictures, PNG files.

pictures, axes -> matplotlib figures -> DIR/NAME.png
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure

from trainer.errors import TrainerError

BLUE, ORANGE, GRAY, INK = "#2563a8", "#d9782d", "#9aa3ad", "#1f2933"
DOTS_PER_INCH = 110
PAPER = LinearSegmentedColormap.from_list("ink on paper", ["#fdfcf8", INK])
WANTED = LinearSegmentedColormap.from_list("unwanted to wanted", [ORANGE, "white", BLUE])
SHADES = LinearSegmentedColormap.from_list("few to many", ["#ffffff", "#f6d5b5", ORANGE, "#8c3f0b"])


def save_figures(folder: Path, figures: Mapping[str, Figure]) -> list[Path]:
    """Write folder/NAME.png for each figure and return the paths; raise TrainerError if that fails."""
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            paths.append(folder / f"{name}.png")
            # Without the library's version, the same figure gives the same bytes.
            figure.savefig(paths[-1], dpi=DOTS_PER_INCH, metadata={"Software": None})
    except OSError as error:
        raise TrainerError(f"{folder} cannot be written: {error.strerror or error}") from error
    return paths


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure; width and height in inches."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def plain_axes(axes: Axes) -> Axes:
    """Hide the upper and right frame line of axes, draw pale lines across, and return the axes."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, color=GRAY)
    axes.grid(axis="y", color="#e6e9ec", linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def picture_sheet(
    rows: Sequence[Sequence[np.ndarray | None]], size: float, title: str, colors: Colormap = PAPER
) -> tuple[Figure, Axes, tuple[int, int]]:
    """Return a figure with rows of pictures, its axes, and the pitch (down, across) in pixels.

    rows: pictures of one shape, in [0, 1]; None leaves a place empty. size: width of a picture in inches.
    All pictures become one image, because hundreds of axes would take seconds to draw.
    """
    high, wide = next(picture.shape for row in rows for picture in row if picture is not None)
    gap = max(2, wide // 7)
    down, across = high + gap, wide + gap
    columns = max(len(row) for row in rows)
    paper = np.full((len(rows) * down - gap, columns * across - gap), np.nan)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            if picture is not None:
                paper[i * down : i * down + high, j * across : j * across + wide] = picture
    figure = new_figure(columns * size, columns * size * len(paper) / paper.shape[1] + 0.35)
    axes = figure.subplots()
    axes.imshow(paper, cmap=colors, vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    figure.suptitle(title, fontsize=11, color=INK)
    return figure, axes, (down, across)
