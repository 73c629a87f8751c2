"""A soak test: all kinds of load at once, to see whether requests are lost or wrong, or memory grows.

    python -m tests.soak --minutes 10

    the service as shipped, two workers <- honest clients, slow ones, rude ones, floods, huge and broken
    pictures; models replaced and broken, workers killed -> a table of what was answered, lost and held

Exits with 1 if a request was lost that was not on a killed worker, an answer was wrong, an error other than
an intended 503 came back, a counter went backwards, or memory grew.
"""

import argparse
import collections
import contextlib
import itertools
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import requests
from PIL import Image

from service.model.artifact import save
from tests.deploy.memory import memory_bytes
from tests.drawing import digit_png, draw_digit, encode
from tests.fuzz.mutations import seed_files, with_right_checksums
from tests.serving import MODELS, Server, copy_models, running_service
from tests.sockets import connect, post, read_all, split
from tests.tiny import repacked

MEBIBYTE = 1024 * 1024
KILL_SECONDS, SWAP_SECONDS, FLOOD_SECONDS, SAMPLE_SECONDS = 60, 15, 20, 5
READ_TIMEOUT_SECONDS = 5
RECOVERY_SECONDS = 3  # before this, a kept connection has been found dead
DIGITS = [digit_png(digit) for digit in range(10)]
GROWTH_LIMIT_MEBIBYTES = 10  # between the second and the last fifth of the run


class Record:
    """What happened, kept by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.statuses: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
        self.milliseconds: list[float] = []
        self.failures: list[str] = []
        self.kills: list[float] = []
        self.lost_with_a_worker = 0
        self.memory: list[float] = []
        self.versions: set[str] = set()

    def answered(self, who: str, status: int, seconds: float | None = None) -> None:
        """Record a status; any 5xx other than 503 is a failure."""
        with self._lock:
            self.statuses[who][status] += 1
            if seconds is not None:
                self.milliseconds.append(1000 * seconds)
        if status >= 500 and status != 503:
            self.failed(f"{who}: status {status}")

    def failed(self, what: str) -> None:
        """Record a failure."""
        with self._lock:
            self.failures.append(what)

    def lost(self, who: str, error: Exception, since: float) -> None:
        """Record a request, begun at `since`, without an answer; a failure unless a worker was killed since.

        Or just before, because a kept connection shows that its worker has ended only when it is used again.
        """
        if any(kill > since - RECOVERY_SECONDS for kill in self.kills):
            with self._lock:
                self.lost_with_a_worker += 1
        else:
            self.failed(f"{who} lost a request: {error!r}")


class Soak:
    """The clients of one run; each method is one kind of them, called again and again until the end."""

    def __init__(self, server: Server, models: Path, record: Record) -> None:
        self.server = server
        self.models = models
        self.record = record
        self.random = random.Random(1)
        self.session = threading.local()
        self.contents = [repacked((MODELS / "mnist-28x28.npz").read_bytes(), number) for number in range(4)]
        self.swaps = itertools.count()
        self.counted = 0.0

    def ask(self, who: str, path: str, **options: object) -> requests.Response | None:
        """Post on this thread's own kept connection; None where it was lost."""
        if not hasattr(self.session, "kept"):
            self.session.kept = requests.Session()
        started = time.monotonic()
        try:
            response = self.session.kept.post(self.server.url + path, timeout=30, **options)
        except requests.RequestException as error:
            self.record.lost(who, error, started)
            return None
        self.record.answered(
            who, response.status_code, time.monotonic() - started if who == "honest" else None
        )
        return response

    def honest(self) -> None:
        """Ask for a digit, and look at the answer."""
        digit = random.randrange(10)
        response = self.ask("honest", "/predict", files={"file": DIGITS[digit]})
        if response is not None and response.status_code == 200:
            answer = response.json()
            self.record.versions.add(answer["model"]["version"])
            if answer["digit"] != digit:
                self.record.failed(f"a drawn {digit} was read as {answer['digit']}")
        time.sleep(0.01)

    def batch(self) -> None:
        """Send many digits in one request, with some pictures that are not digits."""
        files = [("file", ("a", image)) for image in [*DIGITS, b"none", b""]]
        response = self.ask("batch", "/predict/batch", files=files)
        if response is not None and response.status_code == 200:
            digits = [answer.get("digit") for answer in response.json()["predictions"]]
            if digits != [*range(10), None, None]:
                self.record.failed(f"a batch came back as {digits}")
        time.sleep(0.2)

    def broken(self) -> None:
        """Send files that are broken somewhere."""
        data = bytearray(self.random.choice(list(seed_files().values())))
        for _ in range(self.random.randrange(1, 8)):
            data[self.random.randrange(len(data))] = self.random.randrange(256)
        headers = {"Content-Type": "image/png"}
        self.ask("broken", "/predict", data=with_right_checksums(bytes(data)), headers=headers)
        tensor = {"inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1, 784], "data": [9] * 784}]}
        self.ask("broken V2", "/v2/models/mnist-28x28/infer", data=json.dumps(tensor))
        time.sleep(0.05)

    def huge(self) -> None:
        """Send the largest pictures there may be, and larger ones."""
        for picture in HUGE:
            self.ask("huge", "/predict", files={"file": picture})
        self.ask("too large", "/predict", files={"file": b"x" * (30 * MEBIBYTE)})
        time.sleep(2)

    def slow(self) -> None:
        """Two hundred connections that drip, stall, hang up, or say nothing, until they are closed."""
        beginnings = [b"POST /predict HTTP/1.1\r\nHost: x\r\nX-A: ", post(DIGITS[1])[:-300], b"", b"GET"]
        with contextlib.ExitStack() as closing:
            slow = []
            for beginning in beginnings * 50:
                with contextlib.suppress(OSError):
                    connection = closing.enter_context(connect(self.server))
                    connection.sendall(beginning)
                    slow.append(connection)
            for _ in range(int(READ_TIMEOUT_SECONDS + 2)):
                for connection in slow[::2]:
                    with contextlib.suppress(OSError):
                        connection.send(b"a")
                time.sleep(1)
            for connection in slow[:20]:
                connection.settimeout(2)
                with contextlib.suppress(ConnectionError):
                    data, closed = read_all(connection)
                    if not closed:
                        self.record.failed("a slow connection was not closed")
                    for answer in split(data, closed):
                        self.record.answered("slow", answer.status)

    def flood(self) -> None:
        """Send four hundred requests at the same moment."""
        time.sleep(FLOOD_SECONDS)
        request, started = post(DIGITS[4], Connection="close"), time.monotonic()
        with contextlib.ExitStack() as closing:
            connections = []
            for _ in range(400):
                with contextlib.suppress(OSError):
                    connections.append(closing.enter_context(connect(self.server)))
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.sendall(request)
            for connection in connections:
                try:
                    for answer in split(*read_all(connection)):
                        self.record.answered("flood", answer.status)
                except (OSError, AssertionError) as error:
                    self.record.lost("flood", error, started)

    def operate(self) -> None:
        """Replace the model, break it, put it right."""
        save(self.models / "mnist-28x28.npz", self.contents[next(self.swaps) % len(self.contents)])
        time.sleep(SWAP_SECONDS)
        (self.models / "digits-8x8.npz").write_bytes(os.urandom(1000))

    def kill(self) -> None:
        """Kill a worker."""
        time.sleep(KILL_SECONDS)
        self.record.kills.append(time.monotonic())
        os.kill(self.random.choice(self.server.workers()), signal.SIGKILL)

    def scrape(self) -> None:
        """Look at the probes, the counters and the memory."""
        time.sleep(SAMPLE_SECONDS)
        for path in ("/livez", "/readyz"):
            started = time.monotonic()
            try:
                self.record.answered("probe", requests.get(self.server.url + path, timeout=5).status_code)
            except requests.RequestException as error:
                self.record.lost("probe", error, started)
        with contextlib.suppress(requests.RequestException):
            counted = self.server.metric("http_requests_total")
            if counted < self.counted:
                self.record.failed(f"the request counter went back from {self.counted} to {counted}")
            self.counted = counted
        with contextlib.suppress(OSError):  # a worker that was just killed
            self.record.memory.append(memory_bytes(self.server) / MEBIBYTE)


def huge_pictures() -> list[bytes]:
    """Return a photograph, the largest PNG and WebP there may be, and a bomb."""
    white = (255, 255, 255)
    return [
        encode(draw_digit(5, (4000, 3000), ink=(0, 0, 0), paper=white, mode="RGB"), "JPEG"),
        encode(draw_digit(5, (5000, 5000), ink=(0, 0, 0, 255), paper=(*white, 255), mode="RGBA"), "PNG"),
        encode(draw_digit(5, (3600, 3600), ink=(0, 0, 0), paper=white, mode="RGB"), "WEBP", method=0),
        encode(Image.new("1", (9400, 9400))),
    ]


def run(soak: Soak, minutes: float) -> None:
    """Run all clients side by side."""
    stop = time.monotonic() + 60 * minutes

    def again_and_again(client: Callable[[], None]) -> None:
        while time.monotonic() < stop:
            try:
                client()
            except Exception as error:  # a client thread that died unnoticed would make the run easier
                soak.record.failed(f"{client.__name__} failed: {error!r}")
                time.sleep(1)

    clients = [soak.honest] * 4 + [soak.batch, soak.broken, soak.huge, soak.slow]
    clients += [soak.flood, soak.operate, soak.kill, soak.scrape]
    threads = [threading.Thread(target=again_and_again, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def floor(memory: list[float]) -> float:
    """Return the lower quartile, because higher values come and go with the pictures being decoded."""
    return sorted(memory)[len(memory) // 4]


def report(record: Record, server: Server, files: tuple[int, int]) -> None:
    """Print the table."""
    print("| client | answers by status |\n|---|---|")
    for who, statuses in sorted(record.statuses.items()):
        print(
            f"| {who} | {', '.join(f'{status}: {count:,}' for status, count in sorted(statuses.items()))} |"
        )
    fifth = max(1, len(record.memory) // 5)
    early = floor(record.memory[fifth : 2 * fifth] or record.memory)
    late = floor(record.memory[-fifth:])
    if late - early > GROWTH_LIMIT_MEBIBYTES:
        record.failed(f"memory grew from {early:.0f} to {late:.0f} MiB")
    p50, p99 = (statistics.quantiles(record.milliseconds, n=100)[at] for at in (49, 98))
    refused = sum(line["message"] == "model refused" for line in server.log_lines())
    print(f"\nhonest clients: p50 {p50:.1f} ms, p99 {p99:.1f} ms; versions seen: {len(record.versions)}")
    print(f"workers killed: {len(record.kills)}; requests lost with them: {record.lost_with_a_worker}")
    print(f"memory (PSS): {early:.0f} MiB early, {late:.0f} MiB late, {max(record.memory):.0f} MiB at most")
    print(f"metric files: {files[0]} early, {files[1]} late; models refused: {refused}")
    print(f"failures: {len(record.failures)}")
    for failure, count in collections.Counter(record.failures).most_common(20):
        print(f"  {count} x {failure}")


def main() -> int:
    """Run and report; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    record = Record()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        models = copy_models(folder / "models")
        metrics = folder / "metrics"
        settings = {
            "DIGITS_MODELS_DIR": str(models),
            "DIGITS_READ_TIMEOUT_SECONDS": str(READ_TIMEOUT_SECONDS),
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        }
        with running_service(folder, **settings) as server:
            soak = Soak(server, models, record)
            run(soak, minutes / 10)  # warms up: all kinds of metrics have their files
            early = len(list(metrics.iterdir()))
            record.memory.clear()
            run(soak, minutes)
            report(record, server, (early, len(list(metrics.iterdir()))))
    return 1 if record.failures else 0


HUGE = huge_pictures()

if __name__ == "__main__":
    sys.exit(main())
