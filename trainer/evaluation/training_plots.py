"""Plots of a training: its data, curves and weights, and the outputs of small tasks.

examples, history, layer -> figures
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, StrMethodFormatter

from service.model.network import Layer
from service.preprocessing import Geometry
from trainer.data import CLASSES, Examples
from trainer.evaluation.plotting import BLUE, GRAY, INK, ORANGE, WANTED, new_figure, picture_sheet, plain_axes
from trainer.training import TrainingConfig, make_batch

WEIGHTS_SHOWN = 60


def curves_figure(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Return a figure of loss and error by epoch, in training and validation; history must not be empty."""
    panels = [("loss", "loss", 1)]
    if "accuracy" in history[-1] or "validation_accuracy" in history[-1]:
        panels.append(("error, %", "accuracy", -100))
    figure = new_figure(4.6 * len(panels), 3.6)
    epochs = [entry["epoch"] for entry in history]
    for axes, (title, key, scale) in zip(
        figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True
    ):
        plain_axes(axes)
        for name, label, color in ((key, "training", GRAY), (f"validation_{key}", "validation", BLUE)):
            if name in history[-1]:
                values = np.array([entry[name] for entry in history]) * scale + (100 if scale < 0 else 0)
                axes.plot(epochs, values, ".-" if len(epochs) < 30 else "-", color=color, label=label)
                if (values > 0).all() and values.max() > 5 * values.min():
                    _logarithmic(axes)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(title, fontsize=11)
        axes.legend(frameon=False, fontsize=9)
    return figure


def _logarithmic(axes: Axes) -> None:
    """Make the vertical axis logarithmic, with plain numbers at 1, 2 and 5 times powers of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()


def weights_figure(layer: Layer, side: int) -> Figure:
    """Return the strongest units of the first layer as pictures: blue wants ink, orange rejects it."""
    norms = np.linalg.norm(layer.weights, axis=0)
    shown = np.argsort(-norms, kind="stable")[:WEIGHTS_SHOWN]
    scaled = []
    for unit in shown:
        weights = layer.weights[:, unit].reshape(side, side)
        scaled.append(0.5 + 0.5 * weights / (np.abs(weights).max() or 1))
    title = f"first layer: the {len(shown)} strongest of {len(norms):,} units"
    rows = [scaled[start : start + 12] for start in range(0, len(scaled), 12)]
    return picture_sheet(rows, 0.8, title, WANTED)[0]


def augmented_figure(examples: Examples, geometry: Geometry, config: TrainingConfig) -> Figure:
    """Return one example of each digit beside nine distorted copies, made as in training."""
    chosen = np.array([np.flatnonzero(examples.labels == digit)[0] for digit in np.unique(examples.labels)])
    copies = [examples.take(chosen).pixels]
    for number in range(9):
        rng = np.random.default_rng((config.seed, 0, number))
        pixels, _ = make_batch(examples.take(chosen), geometry, config, rng)
        copies.append(pixels + np.float32(config.input_offset))
    side = geometry.side
    rows = [[pixels[row].reshape(side, side) for pixels in copies] for row in range(len(chosen))]
    return picture_sheet(rows, 0.8, "left: original; right: as training sees it")[0]


def balance_figure(train: Examples, test: Examples) -> Figure:
    """Return the number of pictures of each digit in training and test."""
    figure = new_figure(7.2, 3.0)
    axes = plain_axes(figure.subplots())
    for offset, (name, examples, color) in zip(
        (-0.2, 0.2), (("training", train, BLUE), ("test", test, ORANGE)), strict=True
    ):
        counts = np.bincount(examples.labels, minlength=CLASSES)
        axes.bar(np.arange(CLASSES) + offset, counts, 0.36, color=color, label=f"{name}, {counts.sum():,}")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xticks(range(CLASSES))
    axes.set_xlabel("digit")
    axes.set_ylabel("pictures")
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return figure


def samples_figure(examples: Examples) -> Figure:
    """Return the mean picture and eleven samples of each digit."""
    rows = []
    for digit in range(CLASSES):
        found = examples.pictures[examples.labels == digit]
        if len(found):
            rows.append([found.mean(axis=0), *found[:11]])
    return picture_sheet(rows, 0.75, "left: mean of each digit; right: samples")[0]


def quantities_figure(truth: np.ndarray, found: np.ndarray) -> Figure:
    """Return predicted against true quantities, both (n, 1)."""
    figure = new_figure(4.6, 4.4)
    axes = plain_axes(figure.subplots())
    ends = [min(truth.min(), found.min()), max(truth.max(), found.max())]
    axes.plot(ends, ends, color=GRAY, linewidth=1, linestyle="--")
    axes.plot(truth, found, ".", color=BLUE, markersize=3)
    axes.set_xlabel("truth")
    axes.set_ylabel("answer")
    return figure


def plane_figure(
    points: np.ndarray, truth: np.ndarray, corners: np.ndarray, outputs: np.ndarray, threshold: float
) -> Figure:
    """Return a figure of points of two classes, drawn over the network's output in the plane.

    points: (n, 2). truth: (n, 1), 0 or 1. corners: (m, m, 2), a grid of places. outputs: (m, m), in [0, 1],
    at those places. The black line is where the output equals the threshold.
    """
    figure = new_figure(6.2, 4.4)
    axes = figure.subplots()
    places = (corners[0, 0, 0], corners[0, -1, 0], corners[0, 0, 1], corners[-1, 0, 1])
    shades = axes.imshow(
        outputs,
        cmap=WANTED,
        vmin=0,
        vmax=1,
        alpha=0.45,
        extent=places,
        origin="lower",
        aspect="auto",
        interpolation="bilinear",
    )
    axes.contour(corners[..., 0], corners[..., 1], outputs, [threshold], colors=INK, linewidths=1.2)
    for value, color in ((0, ORANGE), (1, BLUE)):
        some = points[truth[:, 0] == value]
        axes.plot(some[:, 0], some[:, 1], ".", color=color, markersize=4)
    figure.colorbar(shades, label="output")
    return figure
