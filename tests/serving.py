"""Real servers for the tests: gunicorn as shipped, on a free port, with its log."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

PROJECT = Path(__file__).resolve().parent.parent
MODELS = PROJECT / "models"
START_SECONDS = 30
# What the Makefile and the image start.
COMMAND = [sys.executable, "-m", "service"]


# As the Makefile and the image set them.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "8388608",
    "MALLOC_TOP_PAD_": "1048576",
    "MALLOC_ARENA_MAX": "2",
}


def run_alone(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine, run in a thread: browser tests leave a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def free_port() -> int:
    """Return a port that no process listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A running gunicorn; `url` is where it answers."""

    def __init__(self, process: subprocess.Popen, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log = log

    def log_lines(self) -> list[dict[str, Any]]:
        """Return all lines of the log so far; every one must be a JSON object."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def predict(self, image: bytes, **parameters: str) -> requests.Response:
        """Post one image as a form."""
        return requests.post(f"{self.url}/predict", params=parameters, files={"file": image}, timeout=30)

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels."""
        response = requests.get(f"{self.url}/metrics", timeout=30)
        response.raise_for_status()
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        total = 0.0
        for line in response.text.splitlines():
            sample, _, value = line.rpartition(" ")
            if sample.split("{")[0] == name and all(label in sample for label in wanted):
                total += float(value)
        return total

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        master = self.process.pid
        return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.terminate()
        return self.process.wait(60)


@contextlib.contextmanager
def running_service(
    folder: Path, wait_for: str = "/readyz", port: int = 0, log: Path | None = None, **environment: str
) -> Iterator[Server]:
    """Start the service with further environment variables and stop it afterwards.

    folder: for the log. wait_for: the path that must answer 200 before the test goes on; "" for none.
    port: 0 for a free one. log: where stdout and stderr go instead of a file in `folder`.
    """
    port = port or free_port()
    log = log or folder / "service.log"
    settings = {"HOST": "127.0.0.1", "PORT": str(port), "WEB_CONCURRENCY": "2"} | MALLOC | environment
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DIGITS_", "PROMETHEUS_"))}
    with open(log, "wb") as output:
        process = subprocess.Popen(COMMAND, cwd=PROJECT, env=kept | settings, stdout=output, stderr=output)
    server = Server(process, port, log)
    try:
        if wait_for:
            readable = log if log.is_file() else None
            wait_until(lambda: answers(f"{server.url}{wait_for}"), f"{wait_for}; log:\n", readable)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answers(url: str) -> bool:
    """Return whether a URL answers 200."""
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def wait_until(condition: Any, what: str, log: Path | None = None, seconds: float = START_SECONDS) -> None:
    """Return when `condition()` holds; fail after `seconds`, with the log."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}{log.read_text() if log else ''}")
        time.sleep(0.05)


def copy_models(folder: Path) -> Path:
    """Return a folder with copies of the shipped models, for tests that change them."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in MODELS.glob("*.npz"):
        shutil.copy(path, folder)
    return folder
