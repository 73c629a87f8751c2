"""How much memory and CPU a pod takes; the requests and limits in deploy/ are made from this table.

    python -m tests.deploy.memory

the service as shipped, two workers -> loads from none to the largest pictures -> peak PSS, CPU seconds
"""

import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image

from tests.drawing import digit_png, draw_digit, encode
from tests.serving import Server, running_service

MEBIBYTE = 1024 * 1024


def processes(server: Server) -> list[Path]:
    """Return /proc/PID of gunicorn's master and its workers."""
    master = Path(f"/proc/{server.process.pid}")
    workers = (master / "task" / master.name / "children").read_text().split()
    return [master, *(Path(f"/proc/{pid}") for pid in workers)]


def memory_bytes(server: Server) -> int:
    """Return the memory of all processes; what they share is counted once (proportional set size)."""
    total = 0
    for process in processes(server):
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def cpu_seconds(server: Server) -> float:
    """Return the CPU time that all processes have used."""
    ticks = [(process / "stat").read_text().rpartition(")")[2].split() for process in processes(server)]
    return sum(int(fields[11]) + int(fields[12]) for fields in ticks) / 100


def peak_during(server: Server, load: Callable[[], None]) -> int:
    """Return the largest memory seen while `load` runs, looked at twenty times a second."""
    seen, done = [memory_bytes(server)], threading.Event()

    def look() -> None:
        while not done.wait(0.05):
            seen.append(memory_bytes(server))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        load()
    finally:
        done.set()
        watcher.join()
    return max(seen)


def post(server: Server, image: bytes, requests: int, at_once: int) -> None:
    """Post an image many times, some at once."""
    with ThreadPoolExecutor(at_once) as pool:
        statuses = list(pool.map(lambda _: server.predict(image).status_code, range(requests)))
    assert set(statuses) == {200}, set(statuses)


def photograph(width: int, height: int, format: str, mode: str) -> bytes:
    """Return a large picture of a digit."""
    white, black = (255, 0) if mode == "L" else ((255,) * len(mode), (0, 0, 0, 255)[: len(mode)])
    picture: Image.Image = draw_digit(5, size=(width, height), ink=black, paper=white, mode=mode)
    return encode(picture, format)


def measure() -> list[list[object]]:
    """Return a row for each load: its name, the peak in MiB, and milliseconds of CPU a request or ""."""
    loads = {
        "200 x 200 PNG, 8 at once": (digit_png(5), 400, 8),
        "12-megapixel JPEG, 1 at once": (photograph(4000, 3000, "JPEG", "RGB"), 4, 1),
        "12-megapixel JPEG, 8 at once": (photograph(4000, 3000, "JPEG", "RGB"), 16, 8),
        # as large as deploy/base/config.env lets in, in the format that needs most
        "13-megapixel RGBA PNG, 1 at once": (photograph(3600, 3600, "PNG", "RGBA"), 2, 1),
        "13-megapixel RGBA PNG, 4 at once": (photograph(3600, 3600, "PNG", "RGBA"), 8, 4),
    }
    rows: list[list[object]] = []
    for name, (image, requests, at_once) in loads.items():
        with tempfile.TemporaryDirectory() as folder, running_service(Path(folder)) as server:
            time.sleep(0.5)
            if not rows:
                rows.append(["none", round(memory_bytes(server) / MEBIBYTE), ""])
            before = cpu_seconds(server)
            peak = peak_during(server, partial(post, server, image, requests, at_once))
            cost = 1000 * (cpu_seconds(server) - before) / requests
            rows.append([name, round(peak / MEBIBYTE), round(cost, 1)])
    return rows


def table(rows: list[list[object]]) -> str:
    """Return the rows as a table."""
    lines = ["| load on mnist-28x28, two workers | peak, MiB | CPU, ms a request |", "| --- | ---: | ---: |"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


if __name__ == "__main__":
    print(table(measure()))
