"""What Prometheus can ask about the processes: workers, how they end, memory, processor time, limits, build.

    every two seconds, in each worker: /proc and clocks -> its own files -> (summed over workers) -> text
    in the master, when a worker ends: one more in `digits_worker_exits_total`

prometheus_client's own process collector does not work with several processes: each worker measures itself.
"""

import os
import platform
import threading
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

from service.config import Settings

PAUSE_SECONDS = 2.0
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of the container; "max" for none
STOPPED, DIED = "stopped", "died"


def memory_bytes(process: Path = Path("/proc/self")) -> int:
    """Return the memory of a process; of what n processes share it has 1/n. 0 where there is no /proc."""
    try:
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def memory_limit_bytes(file: Path = MEMORY_LIMIT) -> int:
    """Return how much memory the container may take; 0 for no limit, or none that can be read."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0


class ProcessMetrics:
    """The collectors; those that are summed are summed over the workers that live."""

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
            "Worker processes that ended: stopped, or died of a signal, an error or silence.",
            ["how"],
            registry=registry,
        )
        self.memory = gauge("digits_memory_bytes", "Memory of all processes; what they share counts once.")
        self.memory_limit = gauge(
            "digits_memory_limit_bytes", "Memory that the container may take; 0 for no limit.", "livemax"
        )
        self.cpu = Counter("digits_cpu_seconds_total", "Processor time of the workers.", registry=registry)
        self.connections = gauge("http_connections_open", "Connections of clients.")
        self.in_flight_limit = gauge(
            "http_requests_in_flight_limit", "HTTP requests that are taken at once; more are refused."
        )
        self.decoding = gauge(
            "digits_decoding_bytes", "Memory reserved for large images that are being decoded."
        )
        self.decoding_limit = gauge(
            "digits_decoding_limit_bytes", "Memory that decoding large images may take at once.", "livemax"
        )
        self._cpu_seconds = 0.0
        self._is_first = False

    def start(self, settings: Settings, slot: int, version: str) -> None:
        """Note what does not change, and measure from now on; slot: this worker's place among the workers."""
        self._is_first = slot == 0
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
        """Measure this process; the first worker measures the master too, which answers no scrape."""
        total, before = time.process_time(), self._cpu_seconds
        self.cpu.inc(total - before)
        self._cpu_seconds = total
        master = memory_bytes(Path(f"/proc/{os.getppid()}")) if self._is_first else 0
        self.memory.set(memory_bytes() + master)

    def expect_workers(self) -> None:
        """Show the counts of ends as 0 before the first one: a rate needs a beginning."""
        for how in (STOPPED, DIED):
            self.exits.labels(how)

    def worker_ended(self, has_died: bool) -> None:
        """Count the end of a worker; called in the master."""
        self.exits.labels(DIED if has_died else STOPPED).inc()

    def _watch(self) -> None:
        pause = threading.Event()
        while not pause.wait(PAUSE_SECONDS):
            self.measure()
