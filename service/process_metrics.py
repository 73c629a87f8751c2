"""Prometheus metrics of the processes: workers, how they end, memory, processor time, limits, build.

    every two seconds, in each worker: /proc and clocks -> its own files -> (summed over workers) -> text
    in the master, when a worker ends: gunicorn's log says by which signal -> `digits_worker_exits_total`

Each worker measures itself, because prometheus_client's process collector does not support several processes.
"""

import logging
import os
import platform
import threading
import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

from service.config import Settings

PAUSE_SECONDS = 2.0
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of the container; "max" for none
STOPPED, DIED = "stopped", "died"
NO_SIGNAL, OTHER_SIGNAL = "none", "other"
SIGNALS = ("SIGKILL", "SIGABRT", "SIGSEGV", "SIGBUS", OTHER_SIGNAL)


def memory_bytes(process: Path = Path("/proc/self")) -> int:
    """Return the memory of a process; memory shared by n processes counts 1/n. 0 if there is no /proc."""
    try:
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def memory_limit_bytes(file: Path = MEMORY_LIMIT) -> int:
    """Return how much memory the container may take; 0 if there is no limit or it cannot be read."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0


class ExitSignals(logging.Filter):
    """Read from gunicorn's log which signal ended a worker, because its `child_exit` hook does not say.

    Its line has two arguments, the process id and the signal's name. It comes just before the hook is called.
    """

    def __init__(self) -> None:
        super().__init__()
        self._signals: dict[int, str] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Remember the signal if the line names one; let every line pass."""
        if isinstance(record.args, tuple) and len(record.args) == 2:
            process, name = record.args
            if isinstance(process, int) and isinstance(name, str) and name.startswith("SIG"):
                self._signals[process] = name
        return True

    def pop(self, process: int) -> str:
        """Return the signal that ended a process, and forget it; NO_SIGNAL if none did."""
        name = self._signals.pop(process, NO_SIGNAL)
        return name if name in (*SIGNALS, NO_SIGNAL) else OTHER_SIGNAL


class ProcessMetrics:
    """The collectors. Sums are over the living workers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, mode: str = "livesum", labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(name, text, labels, multiprocess_mode=mode, registry=registry)  # type: ignore[arg-type]

        self.build = gauge(
            "digits_build_info", "1 for the release that runs.", "livemax", ("version", "python")
        )
        self.workers = gauge("digits_workers", "Worker processes that are configured.", "livemax")
        self.running = gauge("digits_workers_running", "Worker processes that run.")
        self.exits = Counter(
            "digits_worker_exits_total",
            "Worker processes that ended: stopped, or died of a signal, an error or a timeout.",
            ["how", "signal"],
            registry=registry,
        )
        self.memory = gauge("digits_memory_bytes", "Memory of all processes; what they share counts once.")
        self.memory_limit = gauge(
            "digits_memory_limit_bytes", "Memory that the container may take; 0 for no limit.", "livemax"
        )
        self.cpu = Counter("digits_cpu_seconds_total", "Processor time of the workers.", registry=registry)
        self.connections = gauge("http_connections_open", "Connections of clients.")
        self.in_flight_limit = gauge(
            "http_requests_in_flight_limit", "HTTP requests that are answered at once; more are refused."
        )
        self.decoding = gauge(
            "digits_decoding_bytes", "Memory reserved for large images that are being decoded."
        )
        self.decoding_limit = gauge(
            "digits_decoding_limit_bytes", "Memory that decoding large images may take at once.", "livemax"
        )
        self._cpu_seconds = 0.0
        self._is_first: Callable[[], bool] = lambda: True

    def start(self, settings: Settings, is_first: Callable[[], bool], version: str) -> None:
        """Set the gauges that never change, and measure from now on.

        is_first: whether this is now the first of the workers that run.
        """
        self._is_first = is_first
        self.build.labels(version, platform.python_version()).set(1)
        self.workers.set(settings.workers)
        self.running.set(1)
        self.memory_limit.set(memory_limit_bytes())
        self.in_flight_limit.set(settings.max_in_flight)
        self.decoding_limit.set(settings.max_decoding_bytes)
        for collector in (self.connections, self.decoding):
            collector.set(0)
        self.measure()
        threading.Thread(target=self._watch, name="process-watcher", daemon=True).start()

    def measure(self) -> None:
        """Measure this process; the first worker also measures the master, which answers no scrapes."""
        total, before = time.process_time(), self._cpu_seconds
        self.cpu.inc(total - before)
        self._cpu_seconds = total
        master = memory_bytes(Path(f"/proc/{os.getppid()}")) if self._is_first() else 0
        self.memory.set(memory_bytes() + master)

    def expect_workers(self) -> None:
        """Export the exit counters as 0 before the first exit, so that rates include the first event."""
        self.exits.labels(STOPPED, NO_SIGNAL)
        for signal in (*SIGNALS, NO_SIGNAL):
            self.exits.labels(DIED, signal)

    def worker_ended(self, has_died: bool, signal: str) -> None:
        """Count the end of a worker; called in the master. signal: from `ExitSignals.pop`."""
        self.exits.labels(*(DIED, signal) if has_died else (STOPPED, NO_SIGNAL)).inc()

    def _watch(self) -> None:
        pause = threading.Event()
        while not pause.wait(PAUSE_SECONDS):
            self.measure()
