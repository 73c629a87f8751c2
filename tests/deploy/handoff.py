"""A model is trained and published while the service answers: what its clients notice.

    python -m tests.deploy.handoff

trainer -> NAME.npz in the folder -> workers notice, check, swap;   clients ask all the while -> Report
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import requests

from tests.drawing import digit_png
from tests.serving import PROJECT, Server, copy_models, running_service, wait_until

MODEL = "digits-8x8"
# another model, not a better one
QUICK = ["--epochs", "6", "--seed", "5", "--minimum-accuracy", "0.9", "--maximum-drop", "1"]


class Answer(NamedTuple):
    """One answer: when it came, its status, and the version of the model that made it."""

    moment: float
    status: int
    version: str


class Report(NamedTuple):
    """What happened: versions, all answers in order, when the new file was in its place."""

    before: str
    after: str
    answers: list[Answer]
    published: float

    def settled_seconds(self) -> float:
        """Return the time from the new file to the last answer of the old version."""
        return max(
            0.0, max(one.moment for one in self.answers if one.version == self.before) - self.published
        )


class Clients:
    """Some clients that post pictures one after the other until they are told to stop."""

    def __init__(self, server: Server, count: int = 4) -> None:
        self.answers: list[Answer] = []
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(server,)) for _ in range(count)]

    def _ask(self, server: Server) -> None:
        session = requests.Session()
        image = digit_png(3)
        while not self._done.wait(0.01):
            response = session.post(
                f"{server.url}/predict", params={"model": MODEL}, files={"file": image}, timeout=30
            )
            version = response.json().get("model", {}).get("version", "")
            self.answers.append(Answer(time.time(), response.status_code, version))

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()


def train_under_load(folder: Path, options: list[str]) -> Report:
    """Train and publish into the folder of a running service of two workers; return what its clients saw."""
    models = copy_models(folder / "models")
    with running_service(folder, DIGITS_MODELS_DIR=str(models), DIGITS_DEFAULT_MODEL=MODEL) as server:
        before = served_version(server)
        with Clients(server) as clients:
            command = [sys.executable, "-m", "trainer", "train", "digits", "--quiet", "--to", str(models)]
            command += ["--checkpoint", str(folder / "checkpoint.npz"), *options]
            subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, timeout=300)
            published = (models / f"{MODEL}.npz").stat().st_mtime
            wait_until(lambda: only_new_answers(clients, before), "every worker serves the new version")
        after = served_version(server)
        served = server.metric("digits_model_info", model=MODEL, version=after)
        assert served == 1, f"/metrics does not show version {after}"
        assert server.metric("digits_model_load_failures_total") == 0
    return Report(before, after, sorted(clients.answers), published)


def served_version(server: Server) -> str:
    """Return the version that the service says it serves."""
    return requests.get(f"{server.url}/models/{MODEL}", timeout=30).json()["version"]


def only_new_answers(clients: Clients, before: str) -> bool:
    """Tell whether the last hundred answers are all of another version."""
    return all(answer.version != before for answer in clients.answers[-100:])


def main() -> None:
    """Train as the nightly job does, and print what happened."""
    with tempfile.TemporaryDirectory() as folder:
        report = train_under_load(Path(folder), ["--seed", "5"])
    statuses = Counter(answer.status for answer in report.answers)
    seconds = report.answers[-1].moment - report.answers[0].moment
    print(f"{len(report.answers)} requests in {seconds:.0f} s of training, answered with {dict(statuses)}")
    print(
        f"{report.before} answered until {report.settled_seconds():.1f} s after {report.after} was in place"
    )


if __name__ == "__main__":
    main()
