"""The gate: checks a model file, then moves it into place in one step, with its card beside it.

bytes -> parse -> self-check -> validation figure above the minimum, and not worse than that of the model that
         serves now by more than a standard error
      -> NAME.md, NAME.npz.sha256, NAME.npz in a folder, or a version of them (trainer/publishing/versions.py)
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from service.model.artifact import Artifact, load, parse, save
from service.model.classifier import Classifier
from service.model.errors import ArtifactError
from trainer.errors import RefusedError, TrainerError
from trainer.publishing.card import model_card
from trainer.publishing.figures import (
    Figure,
    HeldOut,
    comparable,
    same_images,
    standard_error,
    validation_figure,
)
from trainer.publishing.versions import add_version, prune_versions

NAMED_VERSION = re.compile(r"\bversion `([0-9a-f]{12})`")


@dataclass(frozen=True)
class Gate:
    """What a model must reach to be published.

    minimum_accuracy: share of the validation images that it must get right, in [0, 1]. maximum_drop: how
    far that share may fall below that of the model that serves now; None for a standard error of the
    difference, 1 to skip the comparison. images: to measure both models on; if it is None, or a model
    has learned them, the figures in the files are compared. all_digits: refuse a model that has not seen
    every digit.
    """

    minimum_accuracy: float
    maximum_drop: float | None = None
    images: HeldOut | None = None
    all_digits: bool = True


class Comparison(NamedTuple):
    """A model's figure beside that of the one that serves now; None where it is unknown or there is none.

    same: whether both were measured on the same images. alike: whether at least on the same data set.
    """

    figure: Figure
    running: Artifact | None = None
    before: Figure | None = None
    same: bool = False
    alike: bool = False


class Notes(NamedTuple):
    """Where a card's notes come from.

    beside: a file that takes precedence over NAME.notes.md in the folder. optional: publish without notes if
    they name another version, instead of refusing.
    """

    beside: Path | None = None
    optional: bool = False


class Published(NamedTuple):
    """A model that was published, how it compared, and the version that left-out notes name or ""."""

    artifact: Artifact
    comparison: Comparison
    left_out: str


def publish(
    content: bytes, name: str, folder: Path, gate: Gate, keep: int = 0, notes: Notes | None = None
) -> Published:
    """Check a model file, write it to `folder` as NAME.npz, and return the outcome.

    keep: how many versions to keep for `rollback`; 0 for plain files. Readers of the folder see the old
    file or the new one, never a part of one. Raises RefusedError if the file fails a check and
    TrainerError if it cannot be written; neither changes anything.
    """
    artifact, comparison = check(content, name, gate, serving(folder, name))
    text, source, left_out = _notes(artifact, name, folder, notes or Notes())
    files = {
        f"{name}.md": _card(artifact, name, len(content), text),
        f"{name}.npz.sha256": f"{artifact.sha256}  {name}.npz\n".encode(),
        f"{name}.npz": content,  # last, because the service watches it
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if source and source.parent.resolve() != folder.resolve():
            save(folder / f"{name}.notes.md", text.encode())
        if keep:
            add_version(folder, name, artifact.version, files)
            prune_versions(folder, name, keep)
        else:
            for file, part in files.items():
                save(folder / file, part)
    except OSError as error:
        raise TrainerError(f"{folder} cannot be written: {error.strerror}. Nothing was published") from error
    return Published(artifact, comparison, left_out)


def _notes(artifact: Artifact, name: str, folder: Path, notes: Notes) -> tuple[str, Path | None, str]:
    """Return the notes, their file, and the other version that they name or ""."""
    candidates = [notes.beside, folder / f"{name}.notes.md"]
    source = next((path for path in candidates if path and path.is_file()), None)
    text = source.read_text() if source else ""
    others = sorted(set(NAMED_VERSION.findall(text)) - {artifact.version})
    if not others:
        return text, source, ""
    if not notes.optional:
        raise RefusedError(
            f"{name} was not published: {source} is about version {others[0]}, this is {artifact.version}. "
            "Measure again, or give --without-notes"
        )
    return "", None, others[0]


def _card(artifact: Artifact, name: str, size: int, notes: str) -> bytes:
    """Return the model card; raise RefusedError if the metadata lacks something that it shows."""
    try:
        return model_card(artifact, name, size, notes).encode()
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RefusedError(
            f"{name} was not published: its metadata lacks something that the model card shows "
            f"({error!r}). Was it made by `python -m trainer train`?"
        ) from error


def serving(folder: Path, name: str) -> Artifact | None:
    """Return the model of that name that a service would serve from `folder`; None if there is none."""
    try:
        return load(folder / f"{name}.npz")
    except ArtifactError:
        return None  # the service refuses it too, so there is nothing to compare with


def check(
    content: bytes, name: str, gate: Gate, running: Artifact | None = None
) -> tuple[Artifact, Comparison]:
    """Return the model in a file if it may be published; raise RefusedError with the reason if not.

    running: the model that serves now under that name.
    """
    try:
        artifact = parse(content)
        Classifier(artifact).self_check()
    except ArtifactError as error:
        raise RefusedError(f"{name} was not published: {error}") from error
    missing = artifact.metadata["training"].get("missing_digits", [])
    if missing and gate.all_digits:
        raise RefusedError(
            f"{name} was not published: it has never seen the digits {', '.join(map(str, missing))} and "
            "takes them for others. Add pictures of them, or give --allow-missing-digits"
        )
    comparison = compare(artifact, running, gate.images)
    if comparison is None:
        raise RefusedError(
            f"{name} was not published: it has no validation figure. Train it with --validation above 0"
        )
    if comparison.figure.accuracy < gate.minimum_accuracy:
        raise RefusedError(
            f"{name} was not published: validation accuracy {comparison.figure.accuracy:.4f}, at least "
            f"{gate.minimum_accuracy:.4f} is required. Train longer, or lower --minimum-accuracy"
        )
    if gate.maximum_drop is None or gate.maximum_drop < 1:
        _refuse_worse(name, comparison, gate)
    return artifact, comparison


def compare(artifact: Artifact, running: Artifact | None, images: HeldOut | None = None) -> Comparison | None:
    """Return a model's figure beside that of the one that serves; None if the model has none.

    The same file is not compared with itself.
    """
    figure = validation_figure(artifact, images)
    if figure is None:
        return None
    if running is None or running.sha256 == artifact.sha256:
        return Comparison(figure)
    same, alike = same_images(artifact, running, images), comparable(artifact, running, images)
    return Comparison(figure, running, validation_figure(running, images), same, alike)


def _refuse_worse(name: str, comparison: Comparison, gate: Gate) -> None:
    """Raise RefusedError if the model that serves is better, or cannot be compared."""
    figure, running, before, same, alike = comparison
    if running is None:
        return
    if before is None or not alike:
        raise RefusedError(
            f"{name} was not published: {running.version}, which serves now, was measured on other data. "
            "Name those of the new model with --data DIR, or give --maximum-drop 1"
        )
    allowed = standard_error(figure, before) if gate.maximum_drop is None else gate.maximum_drop
    if figure.accuracy < before.accuracy - allowed:
        where = "the same images" if same else "its own held-out images"
        limit = "a standard error" if gate.maximum_drop is None else "--maximum-drop"
        raise RefusedError(
            f"{name} was not published: it gets {figure} wrong, but {running.version}, which serves now, "
            f"{100 * (1 - before.accuracy):.2f} % on {where}. That is worse by more than {limit} "
            f"({100 * allowed:.2f} points). Train longer, or give a larger --maximum-drop; 1 allows any"
        )
