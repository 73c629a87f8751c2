"""The gate: a model file is checked, then moved into place in one step, with its card beside it.

bytes -> parse -> self-check -> accuracy above the floor -> NAME.md, NAME.npz.sha256, NAME.npz
"""

from pathlib import Path

from service.artifact import Artifact, ArtifactError, parse, save
from service.classifier import Classifier
from trainer.card import model_card
from trainer.errors import TrainerError

DEFAULT_MINIMUM_ACCURACY = 0.95


def publish(content: bytes, name: str, folder: Path, minimum_accuracy: float) -> Artifact:
    """Check a model file and put it into `folder` as NAME.npz; return what it holds.

    Readers of the folder see the old file or the new one, never a part. Raises TrainerError and
    changes nothing if the file fails a check.
    """
    artifact = check(content, name, minimum_accuracy)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save(folder / f"{name}.md", model_card(artifact, name, len(content)).encode())
        save(folder / f"{name}.npz.sha256", f"{artifact.sha256}  {name}.npz\n".encode())
        save(folder / f"{name}.npz", content)  # last: it is what the service looks at
    except OSError as error:
        raise TrainerError(f"{folder} cannot be written: {error.strerror}. Nothing was published") from error
    return artifact


def check(content: bytes, name: str, minimum_accuracy: float) -> Artifact:
    """Return the artefact if it may be published; raise TrainerError with the reason if not."""
    try:
        artifact = parse(content)
        Classifier(artifact).self_check()
    except ArtifactError as error:
        raise TrainerError(f"{name} was not published: {error}") from error
    accuracy = artifact.metadata["metrics"].get("test", {}).get("accuracy")
    if accuracy is None or accuracy < minimum_accuracy:
        found = "none" if accuracy is None else f"{accuracy:.4f}"
        raise TrainerError(
            f"{name} was not published: test accuracy {found}, at least {minimum_accuracy:.4f} is asked for. "
            "Train longer, or lower --minimum-accuracy"
        )
    return artifact
