"""The loaded models, which follow the files in a folder.

    folder/NAME.npz -> load -> self-check -> {NAME: Classifier}, swapped in one assignment

A file that cannot be used is logged and counted once, and the previous model continues to serve.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from service.model.artifact import load
from service.model.classifier import Classifier
from service.model.errors import ArtifactError

logger = logging.getLogger(__name__)


class ModelError(Exception):
    """No model can answer this request."""


class UnknownModelError(ModelError):
    """There is no model of this name."""


class NoModelError(ModelError):
    """No model is loaded."""


class FileState(NamedTuple):
    """Tells a changed file from an unchanged one without reading it."""

    modified_nanoseconds: int
    size: int
    inode: int


class ModelRegistry:
    """Classifiers by name. One thread replaces the mapping as a whole, so readers see a consistent one."""

    def __init__(
        self,
        folder: Path,
        default: str,
        on_load: Callable[[str, Classifier | None], None] = lambda name, classifier: None,
        on_failure: Callable[[str], None] = lambda name: None,
    ) -> None:
        """Serve the models in `folder`; `default` answers requests that name no model.

        on_load is called with a name and its new classifier (None: gone), on_failure with the name
        of a file that was refused. on_refused, an attribute, is called with a name and True when its file
        is refused, and with False when that ends.
        """
        self.folder = folder
        self.default = default
        self.on_load = on_load
        self._on_failure = on_failure
        self._classifiers: Mapping[str, Classifier] = {}
        self._seen: dict[str, FileState] = {}
        self._refused: dict[str, str] = {}
        self.on_refused: Callable[[str, bool], None] = lambda name, refused: None
        # All workers see the same files, so only one of them reports a refused file.
        self.reports: Callable[[], bool] = lambda: True

    @property
    def ready(self) -> bool:
        """Whether the default model is loaded."""
        return self.default in self._classifiers

    @property
    def refused(self) -> list[str]:
        """The names of the files that are refused."""
        return list(self._refused)

    def all(self) -> Mapping[str, Classifier]:
        """Return the loaded classifiers by name."""
        return self._classifiers

    def get(self, name: str | None = None) -> Classifier:
        """Return the classifier called `name`, or the default one.

        Raises NoModelError if the default is not loaded, UnknownModelError for other names.
        """
        classifiers = self._classifiers
        wanted = name or self.default
        if wanted in classifiers:
            return classifiers[wanted]
        if wanted == self.default:
            raise NoModelError(f"The model {wanted!r} is not loaded yet. Try again in a few seconds.")
        names = ", ".join(sorted(classifiers)) or "none"
        raise UnknownModelError(f"There is no model {wanted!r}. Loaded are: {names}.")

    def refresh(self) -> None:
        """Load new and changed files of the folder, and drop models whose files are gone."""
        files = self._files()
        classifiers = dict(self._classifiers)
        for name, state in files.items():
            if self._seen.get(name) == state:
                continue
            self._seen[name] = state
            classifier = self._load(name, state)
            if classifier:
                classifiers[name] = classifier
                self.on_load(name, classifier)
        for name in self._refused.keys() - files.keys():
            self._accept(name)
        # A folder that cannot be read, perhaps because it is unmounted, is not a reason to drop its models.
        if files:
            for name in (set(self._seen) | set(classifiers)) - set(files):
                self._seen.pop(name, None)
                if classifiers.pop(name, None):
                    logger.warning("model removed", extra={"model": name})
                    self.on_load(name, None)
        self._classifiers = classifiers

    def _files(self) -> dict[str, FileState]:
        states = {}
        for path in sorted(self.folder.glob("[!.]*.npz")):
            try:
                # A dangling link is an unusable file, not a removed one.
                status = path.stat() if path.exists() else path.lstat()
            except OSError:
                continue  # removed since it was listed
            states[path.stem] = FileState(status.st_mtime_ns, status.st_size, status.st_ino)
        return states

    def _load(self, name: str, state: FileState) -> Classifier | None:
        path = self.folder / f"{name}.npz"
        try:
            classifier = Classifier(load(path), name)
            classifier.self_check()
        except ArtifactError as error:
            if isinstance(error.__cause__, OSError):
                del self._seen[name]  # the next refresh may be able to read it
            refusal = f"{state} {error}"
            if self._refused.get(name) != refusal:
                self._refused[name] = refusal
                self._report(name, str(error))
                self.on_refused(name, True)
            return None
        self._accept(name)
        logger.info("model loaded", extra={"model": name, "version": classifier.artifact.version})
        return classifier

    def _accept(self, name: str) -> None:
        """Record that the file of a model is not refused, or no longer."""
        if self._refused.pop(name, None):
            self.on_refused(name, False)

    def _report(self, name: str, reason: str) -> None:
        """Log and count a refused file."""
        if not self.reports():
            return
        path, kept = str(self.folder / f"{name}.npz"), name in self._classifiers
        logger.error(
            "model refused", extra={"model": name, "file": path, "reason": reason, "old_one_serves": kept}
        )
        self._on_failure(name)

    def watch(self, pause_seconds: float) -> None:
        """Refresh every `pause_seconds` in a daemon thread, for as long as the process lives."""

        def look() -> None:
            pause = threading.Event()
            while not pause.wait(pause_seconds):
                try:
                    self.refresh()
                except Exception:  # without the watcher, models would become stale unnoticed
                    logger.exception("looking for changed models failed")

        threading.Thread(target=look, name="model-watcher", daemon=True).start()
