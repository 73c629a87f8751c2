"""The folder of one training run: everything that it makes, and nothing that serves.

    runs/NAME/NAME.npz, NAME.md        the model file and its card
    runs/NAME/report/report.html       what the data, the training and the answers look like
    runs/NAME/log.jsonl                one line for each epoch
    runs/NAME/checkpoints/NAME.npz     where --resume continues; those of earlier runs end in .1, .2

The checkpoints have their own folder, because a service treats every .npz in its folder as a model.
"""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from service.model.artifact import Artifact, parse, save
from trainer.errors import TrainerError
from trainer.publishing import artifact_text, compare, model_card, serving

MODELS = Path("models")  # where `make serve` looks


@dataclass(frozen=True)
class Run:
    """The paths of the run called `name` below the folder `runs`."""

    name: str
    runs: Path

    @property
    def folder(self) -> Path:
        """The folder of this run."""
        return self.runs / self.name

    @property
    def artifact(self) -> Path:
        """The model file."""
        return self.folder / f"{self.name}.npz"

    @property
    def report(self) -> Path:
        """The folder of the report."""
        return self.folder / "report"

    @property
    def log(self) -> Path:
        """The log, JSON lines."""
        return self.folder / "log.jsonl"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of the training."""
        return self.folder / "checkpoints" / f"{self.name}.npz"

    def open_log(self, resume: bool) -> Path:
        """Return the log, emptied unless the run continues an earlier one; raise TrainerError on failure."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not resume:
                self.log.write_bytes(b"")
        except OSError as error:
            raise TrainerError(
                f"{self.folder} cannot be written: {error.strerror}. Name a folder with --runs DIR"
            ) from error
        return self.log

    def write(self, content: bytes, tested: bool) -> Artifact:
        """Write the model file and its card; raise TrainerError if they cannot be written.

        tested: show the figures on test images in the card.
        """
        artifact = parse(content)
        parts = ("test", "validation") if tested else ("validation",)
        card = model_card(artifact, self.name, len(content), parts=parts)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save(self.artifact.with_suffix(".md"), card.encode())
            save(self.artifact, content)
        except OSError as error:
            raise TrainerError(f"{self.folder} cannot be written: {error.strerror}") from error
        return artifact

    def summary(self, artifact: Artifact, tested: bool) -> str:
        """Return how good the model is beside the one in models/, and how to serve or publish it."""
        comparison = compare(artifact, serving(MODELS, self.name))
        return f"""{artifact_text(artifact, f"trained {self.artifact}", comparison, tested)}
serve it:
  {self.serve_command}
publish it:
  {self.publish_command}"""

    @property
    def serve_command(self) -> str:
        """The command that serves this model."""
        return (
            f"DIGITS_MODELS_DIR={shlex.quote(str(self.folder))} DIGITS_DEFAULT_MODEL={self.name} make serve"
        )

    @property
    def publish_command(self) -> str:
        """The command that publishes this model."""
        python = Path(sys.executable)
        here = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else "python"
        return f"{here} -m trainer publish {shlex.quote(str(self.artifact))} --to {MODELS}"
