"""Gunicorn's settings and hooks: gunicorn -c python:service.server.gunicorn_conf service.wsgi:application."""

import os
import shutil
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from service.config import Settings, SettingsError
from service.logs import greet, logging_config, silence_libraries

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

from service.server.balance import Balance, forget  # noqa: E402 - the environment comes first

# A new worker still has the master's signal handlers for a moment, and would lose a signal to stop.
_STOPPING = {signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
_hold = partial(signal.pthread_sigmask, signal.SIG_BLOCK, _STOPPING)
_release = partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, _STOPPING)
os.register_at_fork(before=_hold, after_in_parent=_release)

bind = f"[{_settings.host}]:{_settings.port}"
workers = _settings.workers
worker_class = "service.server.worker.Worker"
keepalive = 75  # longer than the 60 s for which common load balancers reuse a connection
timeout = 30  # seconds after which a worker with a blocked event loop is replaced
graceful_timeout = _settings.graceful_timeout_seconds + int(_settings.drain_seconds) + 3
preload_app = control_socket_disable = True  # loaded once, so that the workers share the weights' memory
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # nosec B108
logconfig_dict = logging_config(_settings.log_level)


def when_ready(server: Any) -> None:
    """Print the greeting, if stdout is a terminal."""
    from service.wsgi import models

    greet(_settings.host, _settings.port, missing="" if models.ready else f"{models.default}.npz")


def pre_fork(server: Any, worker: Any) -> None:
    """Give the new worker the lowest free slot, which names its metric files."""
    worker.slot = min(set(range(len(server.WORKERS) + 1)) - {other.slot for other in server.WORKERS.values()})


def post_worker_init(worker: Any) -> None:
    """Start the worker's own threads and application, and keep C libraries from writing to stderr."""
    from service.wsgi import start_worker

    _release()
    start_worker(worker.slot, Balance(worker.slot).is_first)
    worker.serve(worker.wsgi, _settings, worker.slot)
    silence_libraries()


def child_exit(server: Any, worker: Any) -> None:
    """Count a worker that ended, and drop its gauges."""
    from service.wsgi import end_worker

    end_worker(worker.slot, worker.pid, forget(worker.slot))


def on_exit(server: Any) -> None:
    """Remove the temporary folder of metrics."""
    if _is_temporary:
        shutil.rmtree(_folder, ignore_errors=True)
