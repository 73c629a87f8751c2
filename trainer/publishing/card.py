"""The model card: the page beside a model file that says what it is and how good it is.

    Artifact, notes -> NAME.md

All figures come from the file's metadata; tests/service/model/test_model.py compares them. Notes about one
model, in NAME.notes.md beside it, become part of its card.
"""

from typing import Any

from service.model.artifact import Artifact
from trainer.data import CLASSES
from trainer.training import CONVOLUTION_SUFFIX, figures_of_twin, teacher_files

OLD_REFUSED_SHARE = 0.025  # of files whose configuration lacks refused_share


def model_card(
    artifact: Artifact, name: str, size: int, notes: str = "", parts: tuple[str, ...] = ("test", "validation")
) -> str:
    """Return the page for a model file, in Markdown.

    size: of the file, in bytes. notes: more sections, in Markdown. parts: the figures to show. Raises
    LookupError, TypeError, ValueError or AttributeError if the metadata lacks something that it shows.
    """
    training = artifact.metadata["training"]
    measured = artifact.metadata["metrics"]
    metrics = {part: measured[part] for part in parts if part in measured}
    config = training["config"]
    side = artifact.geometry.side
    shape = " - ".join(str(length) for length in (side**2, *(layer.biases.size for layer in artifact.layers)))
    examples = training["examples"]
    tested = "its twin tested on" if "test" in figures_of_twin(training) else "tested on"
    chosen = "its twin validated on" if "test" in figures_of_twin(training) else "validated on"
    libraries = ", ".join(f"{library} {version}" for library, version in training["libraries"].items())
    return f"""# {name}

A multilayer perceptron that classifies a picture of one handwritten digit, {side} x {side} pixels: {shape},
{artifact.parameters:,} weights and biases, hidden activation {config["activation"]}.{_taught(training)}

| | |
|---|---|
| version | `{artifact.version}` (first 12 digits of the file's SHA-256) |
| file | `{name}.npz`, {size:,} bytes |
| trained | {training["trained_on"]}, on {_fitted(training)} |
| {chosen} | {examples["validation"]:,} held-out training images |
| {tested} | {examples["test"]:,} images that took no part in any choice |

## How good it is

{_whose(artifact)}{_figures(metrics)}

{_by_digit(metrics)}

## Intended use

Single handwritten digits, dark on light or light on dark, preprocessed by `service/preprocessing`. The model
has not learned several digits in one picture, letters or printed numbers.

Probabilities are softmax(logits / {artifact.temperature:g}); the temperature was fitted on held-out images.
{_refusal(artifact)}

{notes and notes.strip() + chr(10) * 2}## How to reproduce it

    {training["command"]}

Set `SOURCE_DATE_EPOCH` to a time on {training["trained_on"]} to get the same date in the file. Made with
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
    """Return what the network was fitted on, as a phrase."""
    images = training["examples"].get("refit", training["examples"]["train"])
    text = f"{images:,} images of `{training['dataset']}`"
    drawn = training["examples"].get("drawn", 0)
    text = f"{text} and {drawn:,} digits drawn by `trainer/synthetic`" if drawn else text
    extra = training["examples"].get("extra", 0)
    return f"{text}; half of each batch from {extra:,} of MNIST's training images" if extra else text


def _taught(training: dict[str, Any]) -> str:
    """Return the sentence about convolutional teachers; "" if there were none."""
    teachers = teacher_files(training["sources"])
    convolutional = sum(name.endswith(CONVOLUTION_SUFFIX) for name in teachers)
    if not convolutional:
        return ""
    others = len(teachers) - convolutional
    both = f" and {others} fully connected" if others else ""
    return f"""
Its targets were the labels and the mean answer of {convolutional} convolutional{both} networks
(`trainer/distillation`), which saw the same training images and are not served."""


def _whose(artifact: Artifact) -> str:
    """Return the paragraph about the twin that was measured; "" if the network itself was."""
    twins = figures_of_twin(artifact.metadata["training"])
    if not twins:
        return ""
    examples = artifact.metadata["training"]["examples"]
    return f"""This network has learned the held-out images too, so they cannot measure it. The
figures for {" and ".join(twins)} are those of its twin, which was trained in the same way, but only on
{examples["train"]:,} images. Temperature and thresholds also come from the twin.

"""


def _refusal(artifact: Artifact) -> str:
    """Return the paragraph about pictures that are not accepted."""
    unsure = f"An answer with a confidence below {artifact.min_confidence:g} is not accepted."
    if not artifact.rejector:
        return f"{unsure} The file has no rejector: it does not recognize pictures of other things."
    weights = sum(layer.weights.size + layer.biases.size for layer in artifact.rejector)
    config = artifact.metadata["training"]["config"]
    outliers, share = config["outliers"], config.get("refused_share", OLD_REFUSED_SHARE)
    members = config.get("judge_members", 1)
    joined = f"\n\nIt joins {members} networks whose log-odds are averaged." if members > 1 else ""
    return f"""{unsure}

The rejector refuses pictures that are not digits. It is a second, small network ({weights:,} weights and
biases) that sees the picture and the activations of the last hidden layer. It was fitted after the first
network, which stayed unchanged. It learned to separate training digits (original, distorted, and drawn by
`trainer/synthetic`) from {outliers:,} pictures of non-digits, generated by `trainer/synthetic`: printed and
written letters, signs, shapes, frames, scribbles, silhouettes, noise, digits that touch or lie on their side.

`novelty` is the probability that a picture is not a digit, divided by {artifact.max_novelty:.4g}. At that
limit the rejector refuses {100 * share:g} % of held-out digits, half of them distorted. It has not seen
letters that people also read as digits (O, l, Z, S, B, g), and mostly accepts them.{joined}"""


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


def _by_digit(metrics: dict[str, Any]) -> str:
    """Return the table of F1 by digit on the first part; "" without figures."""
    if not metrics:
        return "Nothing was measured."
    part = next(iter(metrics))
    return f"""| digit | {" | ".join(str(digit) for digit in range(CLASSES))} |
|---|{"---|" * CLASSES}
| F1 on {part}, % | {" | ".join(f"{100 * value:.2f}" for value in metrics[part]["f1"])} |"""


def _rows(values: dict[str, Any]) -> str:
    return "\n".join(f"| {key} | `{value}` |" for key, value in values.items())
