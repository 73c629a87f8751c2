"""What `train`, `publish`, `versions` and `rollback` print about a model.

Artifact, Comparison, versions -> lines of text
"""

from service.model.artifact import Artifact
from trainer.publishing.gate import Comparison
from trainer.publishing.versions import Version
from trainer.training import figures_of_twin


def artifact_text(
    artifact: Artifact, title: str, comparison: Comparison | None = None, tested: bool = True
) -> str:
    """Return a model's version, size and errors under a title, beside the model that serves.

    tested: also show the error on the test images; look at it only after a model is chosen.
    """
    metrics = artifact.metadata["metrics"]
    lines = [
        title,
        f"  version            {artifact.version}",
        f"  parameters         {artifact.parameters:,}",
    ]
    if comparison:
        lines.append(f"  validation error   {comparison.figure}{_whose(artifact, 'validation')}")
    if comparison and comparison.running:
        lines.append(f"  {comparison.running.version} serves {_before(comparison)}")
    if tested and "test" in metrics:
        error, images = 100 * (1 - metrics["test"]["accuracy"]), metrics["test"]["images"]
        lines.append(f"  test error         {error:.2f} % of {images:,} images{_whose(artifact, 'test')}")
    lines += [f"  warning            {text}" for text in artifact.metadata["training"].get("warnings", [])]
    return "\n".join(lines)


def _before(comparison: Comparison) -> str:
    """Return the figure of the model that serves, and how it compares."""
    if not comparison.before or not comparison.alike:
        return "was measured on other data"
    return f"{comparison.before}{', the same' if comparison.same else ' of its own'}"


def _whose(artifact: Artifact, part: str) -> str:
    return " (twin trained without them)" if part in figures_of_twin(artifact.metadata["training"]) else ""


def versions_text(versions: list[Version]) -> str:
    """Return the versions that a folder keeps, one per line, newest first."""
    lines = ["  kept           published (UTC)"]
    for one in versions:
        mark = "  serves" if one.current else "  served before" if one.previous else ""
        lines.append(f"  {one.version:<14} {one.published:%Y-%m-%d %H:%M:%S}{mark}")
    return "\n".join(lines if versions else ["  no version is kept here"])
