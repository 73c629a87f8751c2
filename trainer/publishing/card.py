"""The model card: the page beside a model file that tells a person what it is and how good.

    Artifact -> NAME.md

All figures come from the file's metadata; tests/test_model.py compares them. What people add about one
model, in NAME.notes.md beside it, is taken into its card.
"""

from typing import Any

from service.model.artifact import Artifact
from trainer.data.datasets import CLASSES
from trainer.distillation.convolution import SUFFIX
from trainer.evaluation.metrics import figures_of_twin

UNTIL_IT_WAS_SET = 0.025  # the refused_share of files that do not say theirs


def model_card(artifact: Artifact, name: str, size: int, notes: str = "") -> str:
    """Return the page for a model file of `size` bytes, in Markdown; notes: more sections for it."""
    training = artifact.metadata["training"]
    metrics = artifact.metadata["metrics"]
    config = training["config"]
    side = artifact.geometry.side
    shape = " - ".join(str(length) for length in (side**2, *(layer.biases.size for layer in artifact.layers)))
    examples = training["examples"]
    whose = "its twin " if "test" in figures_of_twin(artifact) else ""
    libraries = ", ".join(f"{library} {version}" for library, version in training["libraries"].items())
    return f"""# {name}

A multilayer perceptron that names the handwritten digit in a {side} x {side} picture: {shape},
{artifact.parameters:,} weights and biases, hidden activation {config["activation"]}.{_taught(training)}

| | |
|---|---|
| version | `{artifact.version}` (first 12 digits of the file's SHA-256) |
| file | `{name}.npz`, {size:,} bytes |
| trained | {training["trained_on"]}, on {_fitted(training)} |
| {whose}chosen by | {examples["validation"]:,} held-out training images |
| {whose}tested on | {examples["test"]:,} images that took no part in any choice |

## How good it is

{_whose(artifact)}{_figures(metrics)}

| digit | {" | ".join(str(digit) for digit in range(CLASSES))} |
|---|{"---|" * CLASSES}
| F1 on test, % | {" | ".join(f"{100 * value:.2f}" for value in metrics["test"]["f1"])} |

## What it is for, and what not

Single handwritten digits, dark on light or light on dark, as `service/preprocessing/pipeline.py` hands them
over. Several digits in one picture, letters and printed numbers are outside of what it has learnt.

Probabilities are softmax(logits / {artifact.temperature:g}); the temperature was fitted on held-out images.
{_refusal(artifact)}

{notes and notes.strip() + chr(10) * 2}## How to make it again

    {training["command"]}

Set `SOURCE_DATE_EPOCH` to a moment on {training["trained_on"]} to get the same date into the file. Made with
{libraries}; other versions and processors may round differently.

| hyper-parameter | value |
|---|---|
{_rows({key: value for key, value in config.items() if key != "augmentation"})}

| augmentation | value |
|---|---|
{_rows(config["augmentation"])}

| data | SHA-256 of the uncompressed content |
|---|---|
{_rows(training["sources"])}
"""


def _fitted(training: dict[str, Any]) -> str:
    """Return what the network was fitted on, in words."""
    images = training["examples"].get("refit", training["examples"]["train"])
    text = f"{images:,} images of `{training['dataset']}`"
    drawn = training["examples"].get("drawn", 0)
    return f"{text} and {drawn:,} digits drawn by `trainer/synthetic`" if drawn else text


def _taught(training: dict[str, Any]) -> str:
    """Return the sentence that says which convolutional networks taught, if some did."""
    teachers = [name for name in training["sources"] if name.startswith("teacher ")]
    convolutional = sum(name.endswith(SUFFIX) for name in teachers)
    if not convolutional:
        return ""
    others = len(teachers) - convolutional
    both = f" and {others} fully connected" if others else ""
    return f"""
It was taught: its targets were the labels and the mean answer of {convolutional} convolutional{both} networks
(`trainer/distillation`), which saw the same training images and are not served."""


def _whose(artifact: Artifact) -> str:
    """Return the paragraph that says that figures, temperature and thresholds are those of a twin."""
    twins = figures_of_twin(artifact)
    if not twins:
        return ""
    examples = artifact.metadata["training"]["examples"]
    return f"""This network has learnt the held-out images as well, so they cannot tell how good it is. The
figures for {" and ".join(twins)} are those of its twin, which was trained in the same way, but on
{examples["train"]:,} images only. Temperature and thresholds were chosen with the twin too.

"""


def _refusal(artifact: Artifact) -> str:
    """Return the paragraph that says when a picture is not accepted."""
    unsure = f"An answer less sure than {artifact.min_confidence:g} is not accepted."
    if not artifact.judge:
        return f"{unsure} The file holds no judge: what is no digit is not recognised as such."
    weights = sum(layer.weights.size + layer.biases.size for layer in artifact.judge)
    config = artifact.metadata["training"]["config"]
    outliers, share = config["outliers"], config.get("refused_share", UNTIL_IT_WAS_SET)
    return f"""{unsure} Nor is a
picture that the judge takes for something else: a second, small network ({weights:,} weights and biases)
that sees the picture and the activations of the last hidden layer. It was fitted after the first one, which
stayed as it was, to tell training digits (as they are, distorted, and drawn by `trainer/synthetic`) from
{outliers:,} pictures of what is no digit, made by `trainer/synthetic`: printed and written letters, signs,
shapes, frames, scribbles, silhouettes, noise, digits that touch or lie on their side. `novelty` is the
probability of its being no digit over {artifact.max_novelty:.4g}, the limit at which the judge refuses
{100 * share:g} % of held-out digits, half of them distorted. Letters that people too read as digits
(O, l, Z, S, B, g) were not shown to it and are mostly accepted."""


def _figures(metrics: dict[str, Any]) -> str:
    sets = [name for name in ("test", "validation") if name in metrics]
    rows = [f"| | {' | '.join(sets)} |", f"|---|{'---|' * len(sets)}"]
    for title, key, scale, digits in (
        ("images", "images", 1, 0),
        ("error, %", "accuracy", -100, 2),
        ("macro-F1, %", "macro_f1", 100, 2),
        ("cross-entropy, nats", "cross_entropy", 1, 4),
        ("expected calibration error, %", "calibration_error", 100, 2),
        ("accepted as digits, %", "accepted", 100, 2),
    ):
        values = [metrics[name][key] * scale + (100 if scale < 0 else 0) for name in sets]
        rows.append(f"| {title} | {' | '.join(f'{value:.{digits}f}' for value in values)} |")
    return "\n".join(rows)


def _rows(values: dict[str, Any]) -> str:
    return "\n".join(f"| {key} | `{value}` |" for key, value in values.items())
