"""What `train`, `publish`, `versions` and `rollback` print about a model.

Artifact, versions -> lines of text
"""

from service.model.artifact import Artifact
from trainer.publishing.versions import Version
from trainer.training import figures_of_twin


def artifact_text(artifact: Artifact, title: str) -> str:
    """Return a model's version, size and errors under a title."""
    metrics = artifact.metadata["metrics"]
    lines = [
        title,
        f"  version            {artifact.version}",
        f"  parameters         {artifact.parameters:,}",
    ]
    for name in ("validation", "test"):
        if name in metrics:
            error, images = 100 * (1 - metrics[name]["accuracy"]), metrics[name]["images"]
            whose = ", its twin's" if name in figures_of_twin(artifact.metadata["training"]) else ""
            lines.append(f"  {name + ' error':<18} {error:.2f} % of {images:,} images{whose}")
    return "\n".join(lines)


def versions_text(versions: list[Version]) -> str:
    """Return the versions that a folder keeps, one per line, newest first."""
    lines = ["  kept           published (UTC)"]
    for one in versions:
        mark = "  serves" if one.current else "  served before" if one.previous else ""
        lines.append(f"  {one.version:<14} {one.published:%Y-%m-%d %H:%M:%S}{mark}")
    return "\n".join(lines if versions else ["  no version is kept here"])
