"""Several trained models that answer together, as teachers of one small network.

folder/*.npz -> Committee -> mean of their probabilities
"""

from pathlib import Path

import numpy as np

from service.artifact import Artifact, ArtifactError, load
from service.network import forward, softmax
from service.normalization import Geometry
from trainer.errors import TrainerError


class Committee:
    """Models of the same input size; `sources` names each file with its SHA-256."""

    def __init__(self, artifacts: dict[str, Artifact]) -> None:
        self.artifacts = list(artifacts.values())
        self.sources = {f"teacher {name}": artifact.sha256 for name, artifact in artifacts.items()}

    def answers(self, pixels: np.ndarray, temperature: float) -> np.ndarray:
        """Return the mean of the teachers' softmax(logits / temperature), (n, 10) float32.

        pixels: (n, side * side), as the service would show them. Above 1, a temperature shows more
        of which wrong digits a teacher finds likelier (Hinton, Vinyals and Dean 2015).
        """
        total = sum(softmax(forward(one.layers, pixels)[-1], temperature) for one in self.artifacts)
        return np.asarray(total / np.float32(len(self.artifacts)))


def load_committee(folder: Path, geometry: Geometry) -> Committee:
    """Return the committee of all model files in `folder`; raise TrainerError if one does not fit."""
    artifacts = {}
    for path in sorted(folder.glob("*.npz")):
        try:
            artifacts[path.name] = load(path)
        except ArtifactError as error:
            raise TrainerError(f"the teacher {path} cannot be used: {error}") from error
        if artifacts[path.name].geometry != geometry:
            raise TrainerError(
                f"the teacher {path} sees {artifacts[path.name].geometry.side} pixels a side, the data set "
                f"has {geometry.side}. Train teachers on the same data set"
            )
    if not artifacts:
        raise TrainerError(
            f"{folder} holds no teacher. Train some: python -m trainer train ... --to {folder}"
        )
    return Committee(artifacts)
