"""What happened during a soak test, and its table."""

import collections
import statistics
import threading

from tests.serving import Server

MEBIBYTE = 1024 * 1024


RECOVERY_SECONDS = 3  # before this, a kept connection has been found dead


GROWTH_LIMIT_MEBIBYTES = 10  # between the second and the last fifth of the run


class Record:
    """What happened, kept by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.statuses: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
        self.milliseconds: list[float] = []
        self.failures: list[str] = []
        self.kills: list[float] = []
        self.lost_with_a_worker = 0
        self.memory: list[float] = []
        self.versions: set[str] = set()

    def answered(self, who: str, status: int, seconds: float | None = None) -> None:
        """Record a status; any 5xx other than 503 is a failure."""
        with self._lock:
            self.statuses[who][status] += 1
            if seconds is not None:
                self.milliseconds.append(1000 * seconds)
        if status >= 500 and status != 503:
            self.failed(f"{who}: status {status}")

    def failed(self, what: str) -> None:
        """Record a failure."""
        with self._lock:
            self.failures.append(what)

    def lost(self, who: str, error: Exception, since: float) -> None:
        """Record a request, begun at `since`, without an answer; a failure unless a worker was killed since.

        Or just before, because a kept connection shows that its worker has ended only when it is used again.
        """
        if any(kill > since - RECOVERY_SECONDS for kill in self.kills):
            with self._lock:
                self.lost_with_a_worker += 1
        else:
            self.failed(f"{who} lost a request: {error!r}")


def floor(memory: list[float]) -> float:
    """Return the lower quartile, because higher values come and go with the pictures being decoded."""
    return sorted(memory)[len(memory) // 4]


def report(record: Record, server: Server, files: tuple[int, int]) -> None:
    """Print the table."""
    print("| client | answers by status |\n|---|---|")
    for who, statuses in sorted(record.statuses.items()):
        print(
            f"| {who} | {', '.join(f'{status}: {count:,}' for status, count in sorted(statuses.items()))} |"
        )
    fifth = max(1, len(record.memory) // 5)
    early = floor(record.memory[fifth : 2 * fifth] or record.memory)
    late = floor(record.memory[-fifth:])
    if late - early > GROWTH_LIMIT_MEBIBYTES:
        record.failed(f"memory grew from {early:.0f} to {late:.0f} MiB")
    p50, p99 = (statistics.quantiles(record.milliseconds, n=100)[at] for at in (49, 98))
    refused = sum(line["message"] == "model refused" for line in server.log_lines())
    print(f"\nhonest clients: p50 {p50:.1f} ms, p99 {p99:.1f} ms; versions seen: {len(record.versions)}")
    print(f"workers killed: {len(record.kills)}; requests lost with them: {record.lost_with_a_worker}")
    print(f"memory (PSS): {early:.0f} MiB early, {late:.0f} MiB late, {max(record.memory):.0f} MiB at most")
    print(f"metric files: {files[0]} early, {files[1]} late; models refused: {refused}")
    print(f"failures: {len(record.failures)}")
    for failure, count in collections.Counter(record.failures).most_common(20):
        print(f"  {count} x {failure}")
