"""The clients of a soak test: honest, slow and rude ones, and an operator of models and workers."""

import contextlib
import itertools
import json
import os
import random
import signal
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
from tests.serving import MODELS, Server
from tests.soak.record import MEBIBYTE, Record
from tests.sockets import connect, post, read_all, split
from tests.tiny import repacked

KILL_SECONDS, SWAP_SECONDS, FLOOD_SECONDS, SAMPLE_SECONDS = 60, 15, 20, 5


READ_TIMEOUT_SECONDS = 5


DIGITS = [digit_png(digit) for digit in range(10)]


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


HUGE = huge_pictures()
