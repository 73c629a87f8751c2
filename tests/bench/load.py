"""One measurement with wrk.

URL, script, clients, seconds -> wrk -> requests per second, median and 99th percentile, share of workers
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.bench.servers import TICK, Running

MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Load(NamedTuple):
    """What one run of wrk saw.

    p50, p99: milliseconds. processor: microseconds of processor time the server used for a request;
    other work on the machine hardly shows in it. shares: of that time, by worker, largest first.
    """

    rate: float
    p50: float
    p99: float
    processor: float
    shares: list[float]


def need_wrk() -> None:
    """Stop with a line that says what to install, where wrk is not."""
    if not shutil.which("wrk"):
        raise SystemExit("bench: wrk is not installed. Get it with: apt-get install wrk")


def measure(server: Running, script: Path, clients: int, seconds: float, path: str = "/predict") -> Load:
    """Return what `clients` connections get in `seconds`; errors of the server end the benchmark."""
    before = server.processor_seconds()
    # wrk takes only whole seconds
    options = ["-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "--latency"]
    command = ["wrk", *options, "-s", str(script), f"{server.url}{path}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text:
        raise SystemExit(f"bench: {server.name} answered with errors:\n{text}")
    after = server.processor_seconds()
    used = sorted((after[pid] - before.get(pid, 0) for pid in after), reverse=True)
    workers = used[:2]
    requests = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])  # type: ignore[index]
    found = re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
    waits = {share: float(value) * MILLISECONDS[unit] for share, value, unit in found}
    if len(waits) < 2:
        raise SystemExit(f"bench: {server.name} answered too few requests to be compared:\n{text}")
    shares = [each / max(sum(workers), TICK) for each in workers]
    return Load(rate, waits["50"], waits["99"], 1e6 * sum(used) / requests, shares)
