"""Plots of data, training and mistakes, for `evaluate --pictures` and `train --report`.

examples, history, evaluation, weights -> matplotlib figures -> PNG files
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from service.model.classifier import Classifier
from service.model.network import Layer
from service.preprocessing.normalization import Geometry
from trainer.data.datasets import CLASSES, Examples
from trainer.errors import TrainerError
from trainer.evaluation.metrics import CALIBRATION_BINS, Evaluation, coverage_errors
from trainer.training.batches import make_batch
from trainer.training.config import TrainingConfig

BLUE, ORANGE, GREEN, GREY, INK = "#2563a8", "#d9782d", "#3a8f5c", "#9aa3ad", "#1f2933"
WRONG_SHOWN = 50
WEIGHTS_SHOWN = 60
DOTS_PER_INCH = 110
PAPER = LinearSegmentedColormap.from_list("ink on paper", ["#fdfcf8", INK])
WANTED = LinearSegmentedColormap.from_list("unwanted to wanted", [ORANGE, "white", BLUE])
SHADES = LinearSegmentedColormap.from_list("few to many", ["#ffffff", "#f6d5b5", ORANGE, "#8c3f0b"])


def write_pictures(
    folder: Path, classifier: Classifier, examples: Examples, evaluation: Evaluation
) -> list[Path]:
    """Write what `evaluate` can show about a model as PNG files; return their paths."""
    probabilities = np.array([one.probabilities for one in classifier.classify(examples.pixels)])
    return save_figures(folder, evaluation_figures(examples, probabilities, evaluation))


def evaluation_figures(
    examples: Examples, probabilities: np.ndarray, evaluation: Evaluation
) -> dict[str, Figure]:
    """Return the figures about answers, probabilities (n, 10), by file name."""
    return {
        "confusion": confusion_figure(evaluation),
        "digits": digits_figure(evaluation),
        "mistakes": mistakes_figure(examples, probabilities),
        "reliability": reliability_figure(examples.labels, probabilities),
        "coverage": coverage_figure(examples.labels, probabilities),
    }


def save_figures(folder: Path, figures: Mapping[str, Figure]) -> list[Path]:
    """Write folder/NAME.png for each figure; raise TrainerError if that is impossible."""
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            paths.append(folder / f"{name}.png")
            # Without the library's version the same figure gives the same bytes.
            figure.savefig(paths[-1], dpi=DOTS_PER_INCH, metadata={"Software": None})
    except OSError as error:
        raise TrainerError(f"{folder} cannot be written: {error.strerror or error}") from error
    return paths


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def _plain(axes: Axes) -> Axes:
    """Take away what carries no information."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, color=GREY)
    axes.grid(axis="y", color="#e6e9ec", linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def _sheet(
    rows: Sequence[Sequence[np.ndarray | None]], size: float, title: str, colors: Colormap = PAPER
) -> tuple[Figure, Axes, tuple[int, int]]:
    """Return a figure with rows of pictures in [0, 1], its axes, and the pitch down and across.

    One large picture: hundreds of axes would take seconds to draw. size: width of a picture, in inches.
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
    figure = _figure(columns * size, columns * size * len(paper) / paper.shape[1] + 0.35)
    axes = figure.subplots()
    axes.imshow(paper, cmap=colors, vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    figure.suptitle(title, fontsize=11, color=INK)
    return figure, axes, (down, across)


def confusion_figure(evaluation: Evaluation) -> Figure:
    """Return the confusion matrix; colour shows the mistakes only, or the right ones would hide them."""
    figure = _figure(6, 6)
    axes = figure.subplots()
    axes.spines[:].set_color("#e6e9ec")
    counts = evaluation.confusion
    mistakes = counts * (1 - np.eye(CLASSES, dtype=int))
    most = max(mistakes.max(), 8)  # a single mistake stays pale
    axes.imshow(mistakes, cmap=SHADES, vmin=0, vmax=most)
    dark = 0.6 * most
    for truth in range(CLASSES):
        for answer in range(CLASSES):
            count = counts[truth, answer]
            if count:
                right = truth == answer
                color = GREY if right else "white" if count > dark else INK
                axes.text(answer, truth, f"{count:,}", ha="center", va="center", fontsize=9, color=color)
    axes.set_xticks(range(CLASSES))
    axes.set_yticks(range(CLASSES))
    axes.set_xlabel("answer")
    axes.set_ylabel("truth")
    wrong = int(mistakes.sum())
    axes.set_title(
        f"{wrong} of {evaluation.images:,} wrong ({100 * wrong / evaluation.images:.2f} %)", fontsize=11
    )
    axes.set_xticks(np.arange(CLASSES + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(CLASSES + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e6e9ec", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    return figure


def digits_figure(evaluation: Evaluation) -> Figure:
    """Return precision, recall and F1 of each digit; the axis begins where there is something to see."""
    figure = _figure(7.2, 3.6)
    axes = _plain(figure.subplots())
    series = (("precision", evaluation.precision, BLUE), ("recall", evaluation.recall, ORANGE))
    for offset, (name, values, color) in zip((-0.2, 0.2), series, strict=True):
        axes.bar(np.arange(CLASSES) + offset, 100 * values, 0.36, label=name, color=color)
    axes.plot(range(CLASSES), 100 * evaluation.f1, "D", color=INK, markersize=5, label="F1")
    lowest = 100 * min(evaluation.precision.min(), evaluation.recall.min())
    axes.set_ylim(max(0, lowest - 0.35 * (100 - lowest) - 0.1), 100)
    axes.set_xticks(range(CLASSES))
    axes.set_xlabel("digit")
    axes.set_ylabel("%")
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return figure


def mistakes_figure(examples: Examples, probabilities: np.ndarray) -> Figure:
    """Return the pictures whose truth was found least likely, worst first: truth, answer, how sure."""
    answers = probabilities.argmax(axis=1)
    truth_share = probabilities[np.arange(len(answers)), examples.labels]
    wrong = np.flatnonzero(answers != examples.labels)
    worst = wrong[np.argsort(truth_share[wrong], kind="stable")][:WRONG_SHOWN]
    if not len(worst):
        figure = _figure(6, 1)
        figure.text(0.5, 0.5, "No mistake to show.", ha="center", va="center", color=INK)
        return figure
    title = (
        f"the {len(worst)} worst of {len(wrong)} mistakes"
        if len(worst) < len(wrong)
        else f"all {len(worst)} mistakes"
    )
    side = examples.pictures.shape[1]
    above, beside = side // 2, side // 8  # room for two lines of text
    shown = [
        np.pad(examples.pictures[index], ((above, 0), (beside, beside)), constant_values=np.nan)
        for index in worst
    ]
    rows: list[list[np.ndarray | None]] = [
        list(shown[start : start + 10]) for start in range(0, len(shown), 10)
    ]
    rows[0] += [None] * (6 - len(rows[0]))
    figure, axes, (down, across) = _sheet(
        rows, 0.83, f"{title}, those first that find the truth least likely"
    )
    for place, index in enumerate(worst):
        row, column = divmod(place, 10)
        share = 100 * probabilities[index, answers[index]]
        middle = column * across + beside + (side - 1) / 2
        for line, text, color in (
            (0.12, f"{examples.labels[index]} taken for {answers[index]}", INK),
            (0.33, f"{share:.0f} % sure", "#5b6670"),
        ):
            axes.text(
                middle, row * down + line * side, text, fontsize=7.5, ha="center", va="center", color=color
            )
    return figure


def reliability_figure(labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Return accuracy against confidence in 15 bins, and how many pictures each bin holds."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    filled = np.flatnonzero(counts)
    accuracy = np.array([right[bins == one].mean() for one in filled])
    meant = np.array([confidence[bins == one].mean() for one in filled])
    figure = _figure(5.6, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _plain(upper).plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="perfectly calibrated")
    spread = np.abs(_share_interval(accuracy, counts[filled]) - accuracy)
    upper.errorbar(meant, accuracy, spread, fmt="o-", color=BLUE, capsize=3, label="this model")
    upper.set_ylim(0, 1.03)
    upper.set_ylabel("share right")
    upper.legend(frameon=False, fontsize=9)
    _plain(lower).bar(edges[:-1] + 0.5 / CALIBRATION_BINS, counts, 0.9 / CALIBRATION_BINS, color=GREY)
    lower.set_yscale("log")
    lower.set_ylim(0.5, 2 * counts.max())  # a single picture is a bar as well
    lower.yaxis.set_major_locator(LogLocator(numticks=5))
    lower.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    lower.yaxis.set_minor_formatter(NullFormatter())
    lower.minorticks_off()
    lower.set_ylabel("pictures")
    lower.set_xlabel("confidence")
    return figure


def _share_interval(shares: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return lower and upper ends, (2, n), of what each share of so many pictures may stand for.

    Wilson 1927, one standard error: unlike the usual formula, one picture of one is not certainty.
    """
    middle = (shares + 0.5 / counts) / (1 + 1 / counts)
    half = np.sqrt(shares * (1 - shares) / counts + 0.25 / counts**2) / (1 + 1 / counts)
    return np.stack((middle - half, middle + half))


def coverage_figure(labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Return the error of the surest answers against the share of answers that is kept."""
    errors = 100 * coverage_errors(labels, probabilities)
    kept = 100 * np.arange(1, len(errors) + 1) / len(errors)
    figure = _figure(6.4, 3.8)
    axes = _plain(figure.subplots())
    axes.plot(kept, errors, color=BLUE)
    # Below a handful of answers one mistake more or less is a cliff; the left end shows nothing else.
    axes.set_xlim(90, 100.15)
    right_end = errors[kept >= 90]
    axes.set_ylim(0, max(1.25 * right_end.max(), 0.1))
    for share, name, place in (
        (100, "all", (0, 20)),
        (99, "surest 99 %", (-10, 6)),
        (95, "surest 95 %", (-8, 8)),
    ):
        error = errors[max(round(share / 100 * len(errors)), 1) - 1]
        axes.plot([share], [error], "o", color=ORANGE, markersize=6, clip_on=False, zorder=3)
        axes.annotate(
            f"{name}: {error:.2f} %", (share, error), place, textcoords="offset points", ha="right", color=INK
        )
    axes.set_xlabel("answers kept, the surest first, %")
    axes.set_ylabel("wrong among them, %")
    return figure


def _logarithmic(axes: Axes) -> None:
    """Scale the vertical axis by logarithms, with plain numbers at 1, 2 and 5 times powers of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()


def curves_figure(history: Sequence[Mapping[str, Any]]) -> Figure:
    """Return loss and accuracy of training and validation by epoch."""
    panels = [("loss", "loss", 1)]
    if "accuracy" in history[-1] or "validation_accuracy" in history[-1]:
        panels.append(("error, %", "accuracy", -100))
    figure = _figure(4.6 * len(panels), 3.6)
    epochs = [entry["epoch"] for entry in history]
    for axes, (title, key, scale) in zip(
        figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True
    ):
        _plain(axes)
        for name, label, color in ((key, "training", GREY), (f"validation_{key}", "validation", BLUE)):
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


def weights_figure(layer: Layer, side: int) -> Figure:
    """Return what the units of the first layer look for: blue is wanted ink, orange unwanted."""
    norms = np.linalg.norm(layer.weights, axis=0)
    shown = np.argsort(-norms, kind="stable")[:WEIGHTS_SHOWN]
    scaled = []
    for unit in shown:
        weights = layer.weights[:, unit].reshape(side, side)
        scaled.append(0.5 + 0.5 * weights / (np.abs(weights).max() or 1))
    title = f"first layer: the {len(shown)} strongest of {len(norms):,} units"
    rows = [scaled[start : start + 12] for start in range(0, len(scaled), 12)]
    return _sheet(rows, 0.8, title, WANTED)[0]


def augmented_figure(examples: Examples, geometry: Geometry, config: TrainingConfig) -> Figure:
    """Return each digit as it is and in nine distorted copies, made as training makes them."""
    chosen = np.array([np.flatnonzero(examples.labels == digit)[0] for digit in np.unique(examples.labels)])
    copies = [examples.take(chosen).pixels]
    for number in range(9):
        rng = np.random.default_rng((config.seed, 0, number))
        pixels, _ = make_batch(examples.take(chosen), geometry, config, rng)
        copies.append(pixels + np.float32(config.input_offset))
    side = geometry.side
    rows = [[pixels[row].reshape(side, side) for pixels in copies] for row in range(len(chosen))]
    return _sheet(rows, 0.8, "left: as it is; right: as training sees it")[0]


def balance_figure(train: Examples, test: Examples) -> Figure:
    """Return how many pictures of each digit there are."""
    figure = _figure(7.2, 3.0)
    axes = _plain(figure.subplots())
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
    """Return for each digit its mean picture and eleven samples."""
    rows = []
    for digit in range(CLASSES):
        found = examples.pictures[examples.labels == digit]
        if len(found):
            rows.append([found.mean(axis=0), *found[:11]])
    return _sheet(rows, 0.75, "left: mean of each digit; right: samples")[0]


def quantities_figure(truth: np.ndarray, found: np.ndarray) -> Figure:
    """Return predicted against true quantities, both (n, 1)."""
    figure = _figure(4.6, 4.4)
    axes = _plain(figure.subplots())
    ends = [min(truth.min(), found.min()), max(truth.max(), found.max())]
    axes.plot(ends, ends, color=GREY, linewidth=1, linestyle="--")
    axes.plot(truth, found, ".", color=BLUE, markersize=3)
    axes.set_xlabel("truth")
    axes.set_ylabel("answer")
    return figure


def plane_figure(
    points: np.ndarray, truth: np.ndarray, corners: np.ndarray, outputs: np.ndarray, threshold: float
) -> Figure:
    """Return points of two classes over the output at a square grid of places.

    points: (n, 2), truth: (n, 1); corners: (m, m, 2), outputs: (m, m); black: output = threshold.
    """
    figure = _figure(6.2, 4.4)
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
