"""Plots of a model's answers: confusion, scores by digit, mistakes, reliability, coverage.

examples, probabilities, Evaluation -> figures
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from service.model.classifier import Classifier
from trainer.data import CLASSES, Examples
from trainer.evaluation.metrics import CALIBRATION_BINS, Evaluation, coverage_errors
from trainer.evaluation.plotting import (
    BLUE,
    GRAY,
    INK,
    ORANGE,
    SHADES,
    new_figure,
    picture_sheet,
    plain_axes,
    save_figures,
)

WRONG_SHOWN = 50


def write_pictures(
    folder: Path, classifier: Classifier, examples: Examples, evaluation: Evaluation
) -> list[Path]:
    """Write all plots of a model's answers as PNG files and return their paths.

    Raises TrainerError if the folder cannot be written.
    """
    probabilities = np.array([one.probabilities for one in classifier.classify(examples.pixels)])
    return save_figures(folder, evaluation_figures(examples, probabilities, evaluation))


def evaluation_figures(
    examples: Examples, probabilities: np.ndarray, evaluation: Evaluation
) -> dict[str, Figure]:
    """Return all figures of this module by file name; probabilities: (n, 10)."""
    return {
        "confusion": confusion_figure(evaluation),
        "digits": digits_figure(evaluation),
        "mistakes": mistakes_figure(examples, probabilities),
        "reliability": reliability_figure(examples.labels, probabilities),
        "coverage": coverage_figure(examples.labels, probabilities),
    }


def confusion_figure(evaluation: Evaluation) -> Figure:
    """Return the confusion matrix; only mistakes are colored, because correct answers would hide them."""
    figure = new_figure(6, 6)
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
                color = GRAY if right else "white" if count > dark else INK
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
    """Return precision, recall and F1 of each digit; the axis begins just below the lowest."""
    figure = new_figure(7.2, 3.6)
    axes = plain_axes(figure.subplots())
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
    """Return the misclassified pictures whose truth got the lowest probability, worst first.

    probabilities: (n, 10).
    """
    answers = probabilities.argmax(axis=1)
    truth_share = probabilities[np.arange(len(answers)), examples.labels]
    wrong = np.flatnonzero(answers != examples.labels)
    worst = wrong[np.argsort(truth_share[wrong], kind="stable")][:WRONG_SHOWN]
    if not len(worst):
        figure = new_figure(6, 1)
        figure.text(0.5, 0.5, "No mistakes to show.", ha="center", va="center", color=INK)
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
    figure, axes, (down, across) = picture_sheet(rows, 0.83, f"{title}, least likely truth first")
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
    """Return accuracy against confidence in CALIBRATION_BINS bins, and the pictures in each bin.

    labels: (n,). probabilities: (n, 10).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    filled = np.flatnonzero(counts)
    accuracy = np.array([right[bins == one].mean() for one in filled])
    stated = np.array([confidence[bins == one].mean() for one in filled])
    figure = new_figure(5.6, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    plain_axes(upper).plot(
        [0, 1], [0, 1], color=GRAY, linewidth=1, linestyle="--", label="perfectly calibrated"
    )
    spread = np.abs(_share_interval(accuracy, counts[filled]) - accuracy)
    upper.errorbar(stated, accuracy, spread, fmt="o-", color=BLUE, capsize=3, label="this model")
    upper.set_ylim(0, 1.03)
    upper.set_ylabel("share right")
    upper.legend(frameon=False, fontsize=9)
    plain_axes(lower).bar(edges[:-1] + 0.5 / CALIBRATION_BINS, counts, 0.9 / CALIBRATION_BINS, color=GRAY)
    lower.set_yscale("log")
    lower.set_ylim(0.5, 2 * counts.max())  # keeps the bar of a single picture visible
    lower.yaxis.set_major_locator(LogLocator(numticks=5))
    lower.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    lower.yaxis.set_minor_formatter(NullFormatter())
    lower.minorticks_off()
    lower.set_ylabel("pictures")
    lower.set_xlabel("confidence")
    return figure


def _share_interval(shares: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the lower and upper ends, (2, n), of the score interval of shares, (n,), of counts, (n,).

    Wilson 1927, with one standard error. Unlike the normal interval, it has a width even if all are right.
    """
    middle = (shares + 0.5 / counts) / (1 + 1 / counts)
    half = np.sqrt(shares * (1 - shares) / counts + 0.25 / counts**2) / (1 + 1 / counts)
    return np.stack((middle - half, middle + half))


def coverage_figure(labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Return the error of the surest answers against the share of answers that is kept.

    labels: (n,). probabilities: (n, 10).
    """
    errors = 100 * coverage_errors(labels, probabilities)
    kept = 100 * np.arange(1, len(errors) + 1) / len(errors)
    figure = new_figure(6.4, 3.8)
    axes = plain_axes(figure.subplots())
    axes.plot(kept, errors, color=BLUE)
    # The left end is not shown: among few answers, a single mistake makes the curve jump.
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
    axes.set_xlabel("answers kept, surest first, %")
    axes.set_ylabel("wrong among them, %")
    return figure
