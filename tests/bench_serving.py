"""Requests per second of the service, beside a Flask application that only reads the upload.

    python -m tests.bench_serving

    two servers on gunicorn, two workers each -> wrk, in turns -> median ratios, p50, p99

Needs `wrk` (Debian package wrk). Absolute figures belong to one machine and one hour; ratios travel.
"""

import contextlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flask import Flask, request

from tests.drawing import draw_digit, encode
from tests.serving import PROJECT, answers, free_port, running_service, wait_until

CLIENTS = 8
SECONDS = 4
ROUNDS = 3
BOUNDARY = "digits-benchmark"
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def reference() -> Flask:
    """Return an application that reads the upload and always answers the same."""
    app = Flask("reference")

    @app.post("/predict")
    def predict() -> dict[str, int]:
        request.files["file"].read()
        return {"digit": 0}

    @app.get("/readyz")
    def readyz() -> dict[str, str]:
        return {"status": "ready"}

    return app


@contextlib.contextmanager
def running_reference() -> Iterator[str]:
    """Start the reference on gunicorn as the service is, and yield its address."""
    url = f"127.0.0.1:{free_port()}"
    options = ["-b", url, "-w", "2", "-k", "gthread", "--threads", "16", "--no-control-socket"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "tests.bench_serving:reference()"],
        cwd=PROJECT,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(f"http://{url}/readyz"), "the reference")
        yield f"http://{url}"
    finally:
        process.terminate()
        process.wait()


def write_script(folder: Path, name: str, image: bytes) -> Path:
    """Write the Lua script that has wrk post an image as a form."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    (folder / f"{name}.body").write_bytes(head.encode() + image + f"\r\n--{BOUNDARY}--\r\n".encode())
    script = folder / f"{name}.lua"
    script.write_text(
        'wrk.method = "POST"\n'
        f'wrk.headers["Content-Type"] = "multipart/form-data; boundary={BOUNDARY}"\n'
        f'wrk.body = io.open("{folder / name}.body", "rb"):read("*a")\n'
    )
    return script


def measure(url: str, script: Path) -> tuple[float, float, float]:
    """Return requests per second, and the median and 99th percentile of the latency in ms."""
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", "--latency", "-s", script, f"{url}/predict"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text:
        raise SystemExit(f"bench: {url} answered with errors:\n{text}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])  # type: ignore[index]
    p50, p99 = (
        float(value) * UNITS[unit]
        for value, unit in re.findall(r"^\s+(?:50|99)%\s+([\d.]+)(us|ms|s)", text, re.MULTILINE)
    )
    return rate, p50, p99


def main() -> None:
    """Print the table."""
    if not shutil.which("wrk"):
        raise SystemExit("bench: wrk is not installed. Get it with: apt-get install wrk")
    images = {
        "28 x 28 PNG": encode(draw_digit(7, (28, 28))),
        "600 x 600 JPEG": encode(draw_digit(7, (600, 600)), "JPEG", quality=90),
    }
    print(f"{CLIENTS} clients, two workers, {ROUNDS} rounds of {SECONDS} s in turns, medians.\n")
    print("| upload | service, requests/s | of a Flask that only reads it | p50, ms | p99, ms |")
    print("|---|---:|---:|---:|---:|")
    with (
        tempfile.TemporaryDirectory() as temporary,
        running_service(Path(temporary)) as service,
        running_reference() as other,
    ):
        for number, (name, image) in enumerate(images.items()):
            script = write_script(Path(temporary), f"image{number}", image)
            rounds = [(measure(service.url, script), measure(other, script)) for _ in range(ROUNDS)]
            rate, p50, p99 = (statistics.median(mine[i] for mine, _ in rounds) for i in range(3))
            ratio = statistics.median(mine[0] / theirs[0] for mine, theirs in rounds)
            print(f"| {name} | {rate:,.0f} | {ratio:.2f} | {p50:.1f} | {p99:.1f} |", flush=True)


if __name__ == "__main__":
    main()
