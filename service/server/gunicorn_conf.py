"""Gunicorn's settings, from the same environment as everything else.

    gunicorn -c python:service.server.gunicorn_conf service.wsgi:application

Runs in the master before the application is imported. The application is loaded once, before the
fork, so that the workers share the weights' memory; threads start only after it.
"""

import contextlib
import ctypes
import itertools
import logging
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

# Where the workers share their metrics; prometheus_client looks when it is imported. What an earlier
# run left there would be counted again.
_folder_is_ours = "PROMETHEUS_MULTIPROC_DIR" not in os.environ
if _folder_is_ours:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="digits-metrics-")
_folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
_folder.mkdir(parents=True, exist_ok=True)
for _file in _folder.glob("*.db"):
    _file.unlink()

# BLAS counts the machine's cores, not the container's, and the product of one row gains nothing
# from a second thread.
for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# glibc keeps freed memory for the thread that had it, in blocks as large as any it has seen: after a
# few large pictures each of the threads would sit on tens of megabytes. Above a mebibyte, it goes back.
# Smaller memory is kept up to a limit: given back and asked for again, it costs a quarter of a request.
with contextlib.suppress(OSError, AttributeError):  # another C library
    _mallopt = ctypes.CDLL(None).mallopt
    _mallopt(_M_MMAP_THRESHOLD := -3, 1024 * 1024)
    _mallopt(_M_TRIM_THRESHOLD := -1, 8 * 1024 * 1024)
    _mallopt(_M_TOP_PAD := -2, 1024 * 1024)

bind = (
    f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
)
workers = _settings.workers
worker_class = "service.server.worker.Worker"
preload_app = True
keepalive = 75  # longer than the 60 s of common load balancers, which reuse connections
timeout = 30  # a worker whose event loop is silent this long is replaced
graceful_timeout = _settings.graceful_timeout_seconds + math.ceil(_settings.drain_seconds) + 2
control_socket_disable = True
_memory = "/dev/shm"  # noqa: S108 - the heartbeat file is unlinked as soon as it is open  # nosec B108
worker_tmp_dir = _memory if os.access(_memory, os.W_OK) else None  # on a disk a heartbeat can block
loglevel = _settings.log_level
logconfig_dict = logging_config(_settings.log_level)
logging.raiseExceptions = False  # a full or closed stdout must not stop answers
proc_name = "digits"


def on_starting(server: Any) -> None:
    """Stop with one line where the port is taken; gunicorn would try for five seconds."""
    try:
        with socket.create_server(
            (_settings.host, _settings.port),
            family=socket.AF_INET6 if ":" in _settings.host else socket.AF_INET,
        ):
            pass
    except OSError as error:
        sys.exit(f"digits: cannot listen on {bind}: {error.strerror or error}.")


def pre_fork(server: Any, worker: Any) -> None:
    """Give the new worker the lowest slot that no other has; it names the worker's metric files."""
    taken = {other.slot for other in server.WORKERS.values()}
    worker.slot = next(slot for slot in itertools.count() if slot not in taken)


def post_fork(server: Any, worker: Any) -> None:
    """Tell the new process its slot; close its stderr to C libraries.

    libtiff prints what it thinks of a stranger's tags, past the log and so not as JSON.
    """
    from service.metrics import set_worker_slot
    from service.server.protocol import Protocol

    set_worker_slot(worker.slot)
    Protocol.balance.slot = worker.slot
    Protocol.max_connections = worker.cfg.worker_connections
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def post_worker_init(worker: Any) -> None:
    """Put the application behind ASGI, and begin what each worker does."""
    from service.wsgi import start_worker

    worker.serve(worker.wsgi, _settings)
    start_worker(worker.slot)


def when_ready(server: Any) -> None:
    """Drop the gauges that loading before the fork set in the master."""
    from service.metrics import forget_worker

    forget_worker("master")


def child_exit(server: Any, worker: Any) -> None:
    """Drop the gauges of a worker that ended."""
    from service.metrics import forget_worker
    from service.server.balance import forget

    forget(worker.slot)
    forget_worker(worker.slot)


def on_exit(server: Any) -> None:
    """Leave nothing behind: a temporary folder of metrics goes with the master that made it."""
    if _folder_is_ours:
        shutil.rmtree(_folder, ignore_errors=True)
