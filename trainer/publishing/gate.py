"""The gate: checks a model file, then moves it into place in one step, with its card beside it.

bytes -> parse -> self-check -> accuracy above the minimum, and not far below the model that serves now
      -> NAME.md, NAME.npz.sha256, NAME.npz in a folder, or a version of them (trainer/publishing/versions.py)
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from service.model.artifact import Artifact, ArtifactError, load, parse, save
from service.model.classifier import Classifier
from service.preprocessing import Geometry
from trainer.data import SPLIT_OFF, Dataset, Examples, load_dataset
from trainer.errors import RefusedError, TrainerError
from trainer.evaluation import evaluate
from trainer.publishing.card import model_card
from trainer.publishing.versions import add_version, prune_versions
from trainer.training import TEACHER_PREFIX, figures_of_twin

Images = Callable[[Geometry], Examples]


@dataclass(frozen=True)
class Gate:
    """What a model must reach to be published.

    minimum_accuracy: share of the test images that it must get right, in [0, 1]. maximum_drop: how far
    that share may fall below that of the model that serves now, on the same images; 1 skips the
    comparison. test_images: returns the test images in a geometry, to measure both models on. Where it is
    None, or a model has learned them, the figures in the files are compared if they are about the same
    images.
    """

    minimum_accuracy: float
    maximum_drop: float
    test_images: Images | None = None

    def measures(self, artifact: Artifact) -> bool:
        """Return whether there are test images that a model has not learned."""
        return self.test_images is not None and "test" not in figures_of_twin(artifact.metadata["training"])

    def accuracy(self, artifact: Artifact) -> float | None:
        """Return the share of the test images that a model gets right; None if it is unknown."""
        if self.measures(artifact) and self.test_images:
            return evaluate(Classifier(artifact), self.test_images(artifact.geometry)).accuracy
        test = artifact.metadata["metrics"].get("test")
        accuracy = test.get("accuracy") if isinstance(test, dict) else None
        return accuracy if isinstance(accuracy, float) else None


def held_out_images(name: str, data: Path | None, split_seed: int, loaded: Dataset | None = None) -> Images:
    """Return a function that loads the test images of a data set in a geometry, once for each.

    name, data, split_seed: see `load_dataset`. loaded: the data set if it is already in memory.
    """

    @functools.cache
    def images(geometry: Geometry) -> Examples:
        if loaded and loaded.geometry == geometry:
            return loaded.test
        return load_dataset(name, data, geometry, split_seed).test

    return images


def publish(content: bytes, name: str, folder: Path, gate: Gate, keep: int = 0) -> Artifact:
    """Check a model file, write it to `folder` as NAME.npz, and return its content.

    keep: how many versions to keep for `rollback`; 0 for plain files. Readers of the folder see the old
    file or the new one, never a part of one. Raises RefusedError if the file fails a check and
    TrainerError if it cannot be written; neither changes anything.
    """
    artifact = check(content, name, gate, serving(folder, name))
    files = {
        f"{name}.md": _card(artifact, name, len(content), folder / f"{name}.notes.md"),
        f"{name}.npz.sha256": f"{artifact.sha256}  {name}.npz\n".encode(),
        f"{name}.npz": content,  # last, because the service watches it
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if keep:
            add_version(folder, name, artifact.version, files)
            prune_versions(folder, name, keep)
        else:
            for file, part in files.items():
                save(folder / file, part)
    except OSError as error:
        raise TrainerError(f"{folder} cannot be written: {error.strerror}. Nothing was published") from error
    return artifact


def _card(artifact: Artifact, name: str, size: int, notes: Path) -> bytes:
    """Return the model card, with the content of the file `notes` if it exists."""
    try:
        written = notes.read_text() if notes.exists() else ""
        return model_card(artifact, name, size, written).encode()
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


def check(content: bytes, name: str, gate: Gate, running: Artifact | None = None) -> Artifact:
    """Return the model in a file if it may be published; raise RefusedError with the reason if not.

    running: the model that serves now under that name.
    """
    try:
        artifact = parse(content)
        Classifier(artifact).self_check()
    except ArtifactError as error:
        raise RefusedError(f"{name} was not published: {error}") from error
    accuracy = gate.accuracy(artifact)
    if accuracy is None or accuracy < gate.minimum_accuracy:
        found = "none" if accuracy is None else f"{accuracy:.4f}"
        raise RefusedError(
            f"{name} was not published: test accuracy {found}, at least {gate.minimum_accuracy:.4f} is "
            "required. Train longer, or lower --minimum-accuracy"
        )
    if running and gate.maximum_drop < 1 and running.sha256 != artifact.sha256:
        _compare(name, accuracy, artifact, running, gate)
    return artifact


def _compare(name: str, accuracy: float, artifact: Artifact, running: Artifact, gate: Gate) -> None:
    before = gate.accuracy(running)
    comparable = gate.measures(running) or _tested_on(artifact) == _tested_on(running)
    if before is None or not comparable:
        raise RefusedError(
            f"{name} was not published: {running.version}, which serves now, was measured on other test "
            "images. Name those of the new model with --data DIR, or give --maximum-drop 1"
        )
    if accuracy < before - gate.maximum_drop:
        raise RefusedError(
            f"{name} was not published: test accuracy {accuracy:.4f}, but {running.version}, which serves "
            f"now, has {before:.4f} on the same images and at most {gate.maximum_drop:g} less is allowed. "
            "Train longer, or raise --maximum-drop"
        )


def _tested_on(artifact: Artifact) -> tuple[object, ...]:
    """Return what identifies the images that a model was tested on, according to its metadata."""
    training = artifact.metadata["training"]
    sources = training.get("sources", {})
    data = {file: digest for file, digest in sources.items() if not file.startswith(TEACHER_PREFIX)}
    name = training.get("dataset")
    # MNIST has its own test images; in the others, the seed decides which are held out.
    split_seed = training.get("config", {}).get("split_seed", 0) if name in SPLIT_OFF else None
    return name, data, split_seed
