"""Gunicorn's settings and hooks: gunicorn -c python:service.server.gunicorn_conf service.wsgi:application."""

import math
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from service.config import Settings, SettingsError
from service.logs import logging_config

try:
    _settings = Settings.from_env()
except SettingsError as error:
    sys.exit(f"digits: {error}.")

# The folder in which workers share their metrics. Files of an earlier run would be counted again.
_is_temporary = "PROMETHEUS_MULTIPROC_DIR" not in os.environ
_folder = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR") or tempfile.mkdtemp(prefix="digits-metrics-"))
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_folder)
_folder.mkdir(parents=True, exist_ok=True)
for _file in _folder.glob("*.db"):
    _file.unlink()

# BLAS counts the machine's cores, not the container's; one row gains nothing from a second thread.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from service.metrics import set_worker_slot  # noqa: E402 - the environment comes first
from service.server.balance import Balance, forget  # noqa: E402

bind = f"[{_settings.host}]:{_settings.port}"
workers = _settings.workers
worker_class = "service.server.worker.Worker"
preload_app = True  # once, so that the workers share the weights' memory
keepalive = 75  # longer than the 60 s of common load balancers, which reuse connections
timeout = 30  # seconds after which a worker with a blocked event loop is replaced
graceful_timeout = _settings.graceful_timeout_seconds + math.ceil(_settings.drain_seconds) + 2
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # nosec B108
logconfig_dict = logging_config(_settings.log_level)


def on_starting(server: Any) -> None:
    """Stop with one line if the port is taken; gunicorn would retry for five seconds."""
    try:
        family, _, _, _, address = socket.getaddrinfo(_settings.host, _settings.port)[0]
        socket.create_server(address, family=family).close()
    except OSError as error:
        on_exit(server)
        sys.exit(f"digits: cannot listen on {bind}: {error.strerror or error}.")


def pre_fork(server: Any, worker: Any) -> None:
    """Give the new worker the lowest free slot, which names its metric files."""
    worker.slot = min(set(range(len(server.WORKERS) + 1)) - {other.slot for other in server.WORKERS.values()})


def post_worker_init(worker: Any) -> None:
    """Start the worker's own parts, and close stderr to C libraries, which print messages about files."""
    from service.wsgi import start_worker

    set_worker_slot(worker.slot)
    worker.serve(worker.wsgi, _settings, worker.slot)
    start_worker(Balance(worker.slot).is_first)
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)


def child_exit(server: Any, worker: Any) -> None:
    """Count a worker that ended, and drop its gauges."""
    from service.wsgi import end_worker

    end_worker(worker.slot, worker.pid, forget(worker.slot))


def on_exit(server: Any) -> None:
    """Remove the temporary folder of metrics."""
    if _is_temporary:
        shutil.rmtree(_folder, ignore_errors=True)
