"""Series of the past for a Prometheus to begin with: a week of one sample an hour, then six hours in detail.

Series (labels, value at a time) -> OpenMetrics text -> promtool -> blocks in a folder `tsdb`
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.deploy.tools import run

HOUR = 3600.0
DAYS = 8


class Series(NamedTuple):
    """A series; value: from seconds before the end (0 is now) to its value, None for no sample."""

    name: str
    labels: dict[str, str]
    value: Callable[[float], float | None]


def constant(value: float) -> Callable[[float], float]:
    """Return a gauge that does not move."""
    return lambda ago: value


def counter(per_second: float, lately: float | None = None, since: float = HOUR) -> Callable[[float], float]:
    """Return a counter; lately: its rate in the last `since` seconds, where it differs."""

    def value(ago: float) -> float:
        recent = per_second if lately is None else lately
        return per_second * (DAYS * 24 * HOUR - max(ago, since)) + recent * max(since - ago, 0)

    return value


def moments() -> Iterator[float]:
    """Yield how many seconds ago the samples are, oldest first."""
    yield from (hours * HOUR for hours in range(DAYS * 24 - 1, 6, -1))
    yield from range(int(6.5 * HOUR), 1200, -300)
    yield from range(1200, -1, -15)


def write(series: list[Series], folder: Path) -> None:
    """Make the series the past of the Prometheus that will run in a folder."""
    now = time.time()
    lines = []
    for one in sorted(series, key=lambda each: each.name):
        labels = ",".join(f'{name}="{value}"' for name, value in one.labels.items())
        for ago in sorted(set(moments()), reverse=True):
            value = one.value(ago)
            if value is not None:
                lines.append(f"{one.name}{{{labels}}} {value} {now - ago:.3f}\n")
    text = folder / "recorded.txt"
    text.write_text("".join(lines) + "# EOF\n")
    result = run("promtool", "tsdb", "create-blocks-from", "openmetrics", text, folder / "tsdb", seconds=300)
    assert result.returncode == 0, result.stdout + result.stderr
