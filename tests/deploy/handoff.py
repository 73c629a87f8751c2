"""A model is trained, published and rolled back while the service answers: what its clients notice.

    python -m tests.deploy.handoff

trainer -> version, pointer -> workers notice, check, swap;   clients ask all the while -> Report
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


class Answer(NamedTuple):
    """One answer: when it came, after how long, its status, and the model and version that made it."""

    moment: float
    seconds: float
    status: int
    model: str
    version: str


class Report(NamedTuple):
    """What happened: versions, all answers in order, when the pointer had moved to the new one and back."""

    before: str
    after: str
    answers: list[Answer]
    published: float
    rolled_back: float

    def versions(self, model: str) -> set[str]:
        """Return the versions of a model that answered."""
        return {answer.version for answer in self.answers if answer.model == model}

    def settled_seconds(self, version: str, moved: float, until: float) -> float:
        """Return the time from a move of the pointer to the last answer of the version it left."""
        moments = [one.moment for one in self.answers if one.version == version and one.moment < until]
        return max(0.0, max(moments) - moved)


class Clients:
    """Some clients that post pictures one after the other until told to stop, every second one to MODEL."""

    def __init__(self, server: Server, count: int = 4) -> None:
        self.answers: list[Answer] = []
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(server, {"model": MODEL} if number % 2 else {}))
            for number in range(count)
        ]

    def _ask(self, server: Server, parameters: dict[str, str]) -> None:
        session = requests.Session()
        image = digit_png(3)
        while not self._done.wait(0.01):
            begun = time.time()
            response = session.post(
                f"{server.url}/predict", params=parameters, files={"file": image}, timeout=30
            )
            model = response.json().get("model", {"name": "", "version": ""})
            now = time.time()
            self.answers.append(
                Answer(now, now - begun, response.status_code, model["name"], model["version"])
            )

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()


def train_under_load(folder: Path, options: list[str]) -> Report:
    """Train and publish into the folder of a running service of two workers, roll back, and report."""
    models = copy_models(folder / "models")
    with running_service(folder, DIGITS_MODELS_DIR=str(models)) as server:
        before = served_version(server)
        with Clients(server) as clients:
            trainer("train", "digits", "--to", models, "--keep", 3,
                    "--runs", folder / "runs", *options)  # fmt: skip
            published = pointer_moved(models)
            wait_until(lambda: nobody_gets(before, clients), "every worker serves the new version")
            after = served_version(server)
            assert_metrics_tell(server, after)
            trainer("rollback", MODEL, "--in", models)
            rolled_back = pointer_moved(models)
            wait_until(lambda: nobody_gets(after, clients), "every worker serves the old version again")
            assert_metrics_tell(server, before)
    return Report(before, after, sorted(clients.answers), published, rolled_back)


def trainer(*words: object) -> None:
    """Run a command of the trainer, as a Job does."""
    command = [sys.executable, "-m", "trainer", *map(str, words)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, timeout=300)


def pointer_moved(models: Path) -> float:
    """Return when the pointer was moved last."""
    return (models / ".versions" / MODEL / "current").lstat().st_mtime


def assert_metrics_tell(server: Server, version: str) -> None:
    """Fail unless /metrics shows this version, since when it is loaded, and no failed load."""
    assert server.metric("digits_model_info", model=MODEL, version=version) == 1
    assert time.time() - server.metric("digits_model_loaded_timestamp_seconds", model=MODEL) < 60
    assert server.metric("digits_model_load_failures_total") == 0


def served_version(server: Server) -> str:
    """Return the version that the service says it serves."""
    return requests.get(f"{server.url}/models/{MODEL}", timeout=30).json()["version"]


def nobody_gets(version: str, clients: Clients) -> bool:
    """Return whether the last hundred answers of MODEL are all from another version."""
    answers = [answer for answer in list(clients.answers) if answer.model == MODEL]
    return all(answer.version != version for answer in answers[-100:])


def measure() -> list[str]:
    """Train as the nightly job does, and return what happened, in lines."""
    with tempfile.TemporaryDirectory() as folder:
        report = train_under_load(Path(folder), ["--seed", "5", "--quiet", "--no-report"])
    answers, lines = report.answers, []
    for model in sorted({answer.model for answer in answers}):
        statuses = Counter(answer.status for answer in answers if answer.model == model)
        lines.append(f"{model}: {dict(statuses)}, versions {', '.join(sorted(report.versions(model)))}")
    there = report.settled_seconds(report.before, report.published, report.rolled_back)
    back = report.settled_seconds(report.after, report.rolled_back, answers[-1].moment + 1)
    lines.append(f"{report.after} published: {report.before} answered for another {there:.1f} s")
    lines.append(f"rolled back: {report.after} answered for another {back:.1f} s")
    slowest = 1000 * max(answer.seconds for answer in answers)
    seconds = answers[-1].moment - answers[0].moment
    return [*lines, f"{seconds:.0f} s in all; the slowest answer took {slowest:.0f} ms"]


if __name__ == "__main__":
    print("\n".join(measure()))
