"""Servers to measure, each in an environment of its own, two worker processes each.

.venv-bench/NAME (made once, pinned) -> command -> running process group -> Measured
                                        /proc -> memory (PSS), processor time of each process
"""

import contextlib
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.pictures import Body
from tests.serving import COMMAND, MALLOC, MODELS, PROJECT, free_port

ENVIRONMENTS = PROJECT / ".venv-bench"
REFERENCES = PROJECT / "tests/bench/references"
MODEL = MODELS / "mnist-28x28.npz"
ONNX = ENVIRONMENTS / "mnist-28x28.onnx"
START_SECONDS = 60
TICK = 1 / os.sysconf("SC_CLK_TCK")

# One thread for each matrix product: two would fight for the cores with the other worker.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
SERVICE = "this service"
# The last version with its own web server, to measure the cost and gain of using libraries instead.
BEFORE_COMMIT = "6509ddd"
BEFORE = f"version {BEFORE_COMMIT}"


@dataclass(frozen=True)
class Server:
    """How to start a server; {port} in the command is replaced.

    environment: the folder in .venv-bench whose Python runs it, "" for the one that runs the benchmark.
    folder: where its code is. It is one of ours where the environment names its workers.
    """

    name: str
    command: tuple[str, ...]
    environment: str = ""
    folder: Path = PROJECT

    @property
    def is_ours(self) -> bool:
        """Whether it is this service, in this version or another."""
        return self.name in (SERVICE, BEFORE)

    @property
    def python(self) -> Path:
        """The interpreter that runs it."""
        return ENVIRONMENTS / self.environment / "bin/python" if self.environment else Path(sys.executable)


def _uvicorn(module: str) -> tuple[str, ...]:
    application = f"tests.bench.references.{module}:app"
    options = ["--port", "{port}", "--workers", "2", "--no-access-log", "--log-level", "warning"]
    return ("-m", "uvicorn", application, *options)


def _gunicorn(module: str, *options: str) -> tuple[str, ...]:
    application = f"tests.bench.references.{module}:app"
    return (
        "-m",
        "gunicorn",
        "-b",
        "127.0.0.1:{port}",
        "-w",
        "2",
        "--no-control-socket",
        *options,
        application,
    )


SERVERS = {
    server.name: server
    for server in (
        Server(SERVICE, tuple(COMMAND[1:])),
        Server(
            BEFORE,
            ("-m", "gunicorn", "-c", "python:service.gunicorn_conf", "service.wsgi:application"),
            folder=ENVIRONMENTS / BEFORE_COMMIT,
        ),
        Server("FastAPI, uvicorn, this core", _uvicorn("fastapi_core"), "fastapi"),
        Server("FastAPI, uvicorn, ONNX Runtime", _uvicorn("fastapi_onnx"), "fastapi"),
        Server("tutorial Flask, gunicorn", _gunicorn("flask_tutorial")),
        Server("Flask that only reads, gunicorn", _gunicorn("flask_upload")),
        Server("LitServe, ONNX Runtime", (str(REFERENCES / "litserve_onnx.py"), "{port}"), "litserve"),
        Server(
            "BentoML, ONNX Runtime",
            (
                *("-m", "bentoml", "serve", "tests.bench.references.bentoml_onnx:Digits"),
                *("--host", "127.0.0.1", "--port", "{port}"),
            ),
            "bentoml",
        ),
    )
}


def prepare(servers: list[Server]) -> None:
    """Make the environments that the servers need, and the network for ONNX Runtime."""
    for name in sorted({server.environment for server in servers} - {""} | {"fastapi"}):
        requirements = REFERENCES / f"requirements-{name}.txt"
        stamp = ENVIRONMENTS / name / "installed.txt"
        if stamp.exists() and stamp.read_text() == requirements.read_text():
            continue
        print(f"installing {requirements.name} into {stamp.parent.relative_to(PROJECT)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", stamp.parent], check=True)
        pip = [stamp.parent / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", requirements], check=True)
        stamp.write_text(requirements.read_text())
    before = ENVIRONMENTS / BEFORE_COMMIT
    if not before.exists():
        command = ["git", "archive", BEFORE_COMMIT, "service", "models"]
        archive = subprocess.run(command, check=False, cwd=PROJECT, capture_output=True)
        if archive.returncode:
            raise SystemExit(f"bench: this clone lacks {BEFORE_COMMIT}. Get it with: git fetch --unshallow")
        before.mkdir(parents=True)
        subprocess.run(["tar", "x", "-C", before], input=archive.stdout, check=True)
    if not ONNX.exists() or ONNX.stat().st_mtime < MODEL.stat().st_mtime:
        python = ENVIRONMENTS / "fastapi/bin/python"
        subprocess.run(
            [python, "-m", "tests.bench.references.make_onnx", MODEL, ONNX], cwd=PROJECT, check=True
        )


class Running:
    """A server that answers. started: seconds from its start to its first prediction."""

    def __init__(self, server: Server, process: subprocess.Popen, port: int, log: Path) -> None:
        self.name = server.name
        self.process = process
        self.port = port
        self.log = log
        self.url = f"http://127.0.0.1:{port}"
        self.started = 0.0

    def ask(self, body: Body, path: str = "/predict") -> tuple[int, bytes]:
        """Post a body on a fresh connection; return the status and the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", path, body.content, {"Content-Type": body.content_type})
            response = connection.getresponse()
            return response.status, response.read()

    def pids(self) -> list[int]:
        """Return the process and all its descendants."""
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    waiting += map(int, (task / "children").read_text().split())
        return found

    def memory_megabytes(self) -> float:
        """Return the proportional set size of all its processes: shared pages count once."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total * 1024 / 1e6

    def processor_seconds(self) -> dict[int, float]:
        """Return the processor time that each of its processes has used so far."""
        used = {}
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                used[pid] = (int(fields[11]) + int(fields[12])) * TICK
        return used


@contextlib.contextmanager
def running(server: Server, first: Body) -> Iterator[Running]:
    """Start a server, wait until it answers `first`, and end it afterwards."""
    port = free_port()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DIGITS_", "PROMETHEUS_"))}
    environment = kept | ONE_THREAD | {"BENCH_MODEL": str(MODEL), "BENCH_ONNX": str(ONNX)}
    environment |= {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WEB_CONCURRENCY": "2",
        "PYTHONPATH": str(server.folder),
    }
    if server.is_ours:
        environment |= MALLOC
    else:
        del environment["WEB_CONCURRENCY"]  # other servers would read it as their own setting
    command = [str(server.python), *(part.format(port=port) for part in server.command)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with open(log, "wb") as output:
            began = time.perf_counter()
            process = subprocess.Popen(
                command,
                cwd=server.folder,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        found = Running(server, process, port, log)
        try:
            while not _answers(found, first):
                if process.poll() is not None or time.perf_counter() - began > START_SECONDS:
                    raise SystemExit(f"bench: {server.name} does not come up:\n{log.read_text()}")
                time.sleep(0.005)
            found.started = time.perf_counter() - began
            yield found
        finally:
            _end(process)


def _answers(server: Running, body: Body) -> bool:
    try:
        return server.ask(body)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def _end(process: subprocess.Popen) -> None:
    for signal in (process.terminate, process.kill):
        if process.poll() is None:
            signal()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)  # what some leave behind
