"""How the service handles slow clients, too many clients, and the death of a worker.

running service, 200 slow connections | eight times as many clients as it takes | kill -9
    -> a normal client that asks on and on -> figures by name; tests/bench/report.py has the sentence for each
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.load import measure
from tests.bench.pictures import form, pictures, write_script
from tests.bench.servers import Running
from tests.sockets import connect, dripping, post

SLOW_CLIENTS = 200
TOO_MANY = 512  # four times the 2 x 64 requests that two workers take at once
LONGEST_SECONDS = 8.0  # slow clients are closed after ten
WELL = 20  # answers in a row, each on a new connection, so of both workers


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


@contextlib.contextmanager
def slow_clients(service: Running) -> Iterator[None]:
    """Keep 200 connections that send nothing, stall, or send a byte a second of header or body."""
    whole = post(next(iter(pictures().values())))
    beginnings = [b"", whole[:-50], whole[:-50], b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Slow: "]
    with contextlib.ExitStack() as closing:
        slow = []
        for beginning in beginnings * (SLOW_CLIENTS // len(beginnings)):
            connection = closing.enter_context(connect(service))  # type: ignore[arg-type]
            connection.sendall(beginning)
            slow.append(connection)

        with dripping(slow[2::4] + slow[3::4], seconds=1):
            yield


def beside_slow_clients(service: Running, folder: Path, seconds: float) -> dict[str, float]:
    """Return the figures of normal clients while slow clients hold 200 connections."""
    script = write_script(folder / "beside.lua", form(next(iter(pictures().values()))))
    seconds = min(seconds, LONGEST_SECONDS)
    alone = measure(service, script, 1, seconds)
    with slow_clients(service):
        beside = measure(service, script, 1, seconds)
    return {
        "slow_clients": SLOW_CLIENTS,
        "p50_ms": round(beside.p50, 2),
        "p99_ms": round(beside.p99, 2),
        "alone_p50_ms": round(alone.p50, 2),
        "alone_p99_ms": round(alone.p99, 2),
    }


def _until_well(service: Running) -> float:
    """Return the seconds until normal requests are answered again, every time."""
    body, began, well = form(next(iter(pictures().values()))), time.monotonic(), 0
    since = began
    while well < WELL and time.monotonic() - began < 30:
        try:
            well = well + 1 if service.ask(body)[0] == 200 else 0
        except OSError:
            well = 0
        since = since if well else time.monotonic()
    return since - began


def overload(service: Running, folder: Path, seconds: float) -> dict[str, float]:
    """Return what is answered and refused under overload, and how soon normal clients recover."""
    body = form(next(iter(pictures().values())))
    script = write_script(folder / "overload.lua", body)
    capacity = measure(service, script, 8, seconds).rate
    seconds = max(2, round(seconds))
    command = ["wrk", "-t1", f"-c{TOO_MANY}", f"-d{seconds}s", "-s", str(script)]
    flood = subprocess.Popen([*command, f"{service.url}/predict"], stdout=subprocess.PIPE, text=True)
    latencies: dict[int, list[float]] = {200: [], 503: []}
    time.sleep(0.5)
    while flood.poll() is None:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            status, _ = service.ask(body)
            latencies[status].append(1000 * (time.monotonic() - began))
    recovery = _until_well(service)
    text = flood.communicate()[0]
    total, refused = _count(text, "requests in"), _count(text, "Non-2xx or 3xx responses:")
    accepted = (total - refused) / seconds
    slowest = _percentile(latencies[200] or [float("nan")], 0.99)
    return {
        "clients": TOO_MANY,
        "answered_per_second": round(accepted),
        "share_of_capacity": round(accepted / capacity, 2),
        "answered_p99_ms": round(slowest, 1),
        "refused_per_second": round(refused / seconds),
        "recovery_seconds": round(recovery, 2),
    }


def _count(text: str, words: str) -> int:
    """Return the number beside some words of what wrk printed; 0 where they are not there."""
    for line in text.splitlines():
        if words in line:
            return int(line.replace(words, " ").split()[0])
    return 0


def killed_worker(service: Running) -> dict[str, float]:
    """Return how long it takes until two workers answer after one of them was killed."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    victim = int(children.read_text().split()[0])
    began = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    while (pids := children.read_text().split()) == [] or str(victim) in pids or len(pids) < 2:
        time.sleep(0.005)
    forked = time.monotonic() - began
    return {
        "forked_seconds": round(forked, 3),
        "recovery_seconds": round(forked + _until_well(service), 3),
    }
