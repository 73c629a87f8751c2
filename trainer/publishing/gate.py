"""The gate: a model file is checked, then moved into place in one step, with its card beside it.

bytes -> parse -> self-check -> accuracy above the floor, and not below the model that serves now
      -> NAME.md, NAME.npz.sha256, NAME.npz in a folder, or a version of it (trainer/publishing/versions.py)
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from service.model.artifact import Artifact, ArtifactError, load, parse, save
from service.model.classifier import Classifier
from service.preprocessing.normalization import Geometry
from trainer.data.datasets import SPLIT_OFF, Dataset, Examples, load_dataset
from trainer.errors import RefusedError, TrainerError
from trainer.evaluation.metrics import evaluate, figures_of_twin
from trainer.publishing import versions
from trainer.publishing.card import model_card

DEFAULT_MINIMUM_ACCURACY = 0.95
# One of the 359 test images of the 8x8 digits, or fifty of MNIST's ten thousand.
DEFAULT_MAXIMUM_DROP = 0.005

Images = Callable[[Geometry], Examples]


@dataclass(frozen=True)
class Gate:
    """What a model must reach to be published.

    minimum_accuracy: share of the test images it must get right. maximum_drop: how much of that it
    may lose against the model that serves now, on the same images; 1 asks for no comparison.
    test_images: returns the test images in a geometry, to measure both models on; where it is None, or
    the model has learnt them too, what the files say of themselves is compared, if they speak of the
    same images.
    """

    minimum_accuracy: float = DEFAULT_MINIMUM_ACCURACY
    maximum_drop: float = DEFAULT_MAXIMUM_DROP
    test_images: Images | None = None

    def measures(self, artifact: Artifact) -> bool:
        """Tell whether there are test images that are new to a model."""
        return self.test_images is not None and "test" not in figures_of_twin(artifact)

    def accuracy(self, artifact: Artifact) -> float | None:
        """Return the share of the test images that a model gets right; None where nobody knows."""
        if self.measures(artifact) and self.test_images:
            return evaluate(Classifier(artifact), self.test_images(artifact.geometry)).accuracy
        test = artifact.metadata["metrics"].get("test")
        accuracy = test.get("accuracy") if isinstance(test, dict) else None
        return accuracy if isinstance(accuracy, float) else None


def held_out_images(name: str, data: Path | None, split_seed: int, loaded: Dataset | None = None) -> Images:
    """Return what gives the test images of a data set in the geometry that a model wants.

    loaded: the data set as somebody has it in memory already.
    """

    @functools.cache
    def images(geometry: Geometry) -> Examples:
        if loaded and loaded.geometry == geometry:
            return loaded.test
        return load_dataset(name, data, geometry, split_seed).test

    return images


def publish(content: bytes, name: str, folder: Path, gate: Gate, keep: int = 0) -> Artifact:
    """Check a model file and put it into `folder` as NAME.npz; return what it holds.

    keep: how many versions stay beside each other, for `versions.rollback`; 0 for plain files.
    Readers of the folder see the old file or the new one, never a part. Raises RefusedError if the
    file fails a check and TrainerError if it cannot be written; neither changes anything.
    """
    artifact = check(content, name, gate, serving(folder, name))
    files = {
        f"{name}.md": _card(artifact, name, len(content), folder / f"{name}.notes.md"),
        f"{name}.npz.sha256": f"{artifact.sha256}  {name}.npz\n".encode(),
        f"{name}.npz": content,  # last: it is what the service looks at
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if keep:
            versions.add(folder, name, artifact.version, files)
            versions.prune(folder, name, keep)
        else:
            for file, part in files.items():
                save(folder / file, part)
    except OSError as error:
        raise TrainerError(f"{folder} cannot be written: {error.strerror}. Nothing was published") from error
    return artifact


def _card(artifact: Artifact, name: str, size: int, notes: Path) -> bytes:
    """Return the model card, with what a person wrote about this model in `notes`, if anything."""
    try:
        written = notes.read_text() if notes.exists() else ""
        return model_card(artifact, name, size, written).encode()
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RefusedError(
            f"{name} was not published: its metadata lacks something that the model card shows "
            f"({error!r}). Was it made by `python -m trainer train`?"
        ) from error


def serving(folder: Path, name: str) -> Artifact | None:
    """Return the model of that name that a service over `folder` would serve; None for none."""
    try:
        return load(folder / f"{name}.npz")
    except ArtifactError:
        return None  # the service refuses it as well, so there is nothing to fall behind


def check(content: bytes, name: str, gate: Gate, running: Artifact | None = None) -> Artifact:
    """Return the artefact if it may be published; raise RefusedError with the reason if not.

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
            f"{name} was not published: test accuracy {found}, at least {gate.minimum_accuracy:.4f} is asked "
            "for. Train longer, or lower --minimum-accuracy"
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
            "images. Say where those of the new model are with --data DIR, or give --maximum-drop 1"
        )
    if accuracy < before - gate.maximum_drop:
        raise RefusedError(
            f"{name} was not published: test accuracy {accuracy:.4f}, but {running.version}, which serves "
            f"now, has {before:.4f} on the same images and at most {gate.maximum_drop:g} less is allowed. "
            "Train longer, or raise --maximum-drop"
        )


def _tested_on(artifact: Artifact) -> tuple[object, ...]:
    """Return what identifies the images that a model says it was tested on."""
    training = artifact.metadata["training"]
    sources = training.get("sources", {})
    data = {file: digest for file, digest in sources.items() if not file.startswith("teacher ")}
    name = training.get("dataset")
    # MNIST brings its own test images; of the others, the seed says which were held out.
    split_seed = training.get("config", {}).get("split_seed", 0) if name in SPLIT_OFF else None
    return name, data, split_seed
