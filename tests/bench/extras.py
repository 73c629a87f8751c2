"""Measurements of this service only: batches, saliency, growth.

running service -> wrk -> figures by name; tests/bench/report.py has the sentence for each
"""

import statistics
from pathlib import Path

import numpy as np

from tests.bench.load import measure
from tests.bench.pictures import form, pictures, write_script
from tests.bench.servers import Running

BATCH = 64
CLIENTS = 8
GROWTH_SAMPLES = 20


def _small() -> bytes:
    return next(iter(pictures().values()))


def batch_factor(service: Running, folder: Path, seconds: float, rounds: int) -> dict[str, float]:
    """Return how many more images a second come through /predict/batch than one by one."""
    single = write_script(folder / "single.lua", form(_small()))
    batch = write_script(folder / "batch.lua", form(*[_small()] * BATCH))
    pairs = [
        (
            BATCH * measure(service, batch, CLIENTS, seconds, "/predict/batch").rate,
            measure(service, single, CLIENTS, seconds).rate,
        )
        for _ in range(rounds)
    ]
    images = statistics.median(together for together, _ in pairs)
    factor = statistics.median(together / alone for together, alone in pairs)
    return {"images": BATCH, "images_per_second": round(images), "factor": round(factor, 2)}


def saliency_cost(service: Running, folder: Path, seconds: float, rounds: int) -> dict[str, float]:
    """Return what ?explain=true adds to the median latency of one client."""
    script = write_script(folder / "explained.lua", form(_small()))
    pairs = [
        (
            measure(service, script, 1, seconds, "/predict?explain=true"),
            measure(service, script, 1, seconds),
        )
        for _ in range(rounds)
    ]
    latency = statistics.median(explained.p50 - plain.p50 for explained, plain in pairs)
    processor = statistics.median(explained.processor - plain.processor for explained, plain in pairs)
    return {"milliseconds": round(latency, 3), "processor_microseconds": round(processor)}


def slope(requests: list[float], megabytes: list[float]) -> float:
    """Return the growth in kB for each thousand requests: a straight line by least squares."""
    return float(np.polyfit(requests, megabytes, 1)[0]) * 1e6


def growth(service: Running, folder: Path, requests: int) -> dict[str, float]:
    """Return how the memory grows over so many requests, the first tenth left out as warming up."""
    script = write_script(folder / "growth.lua", form(_small()))
    counts, sizes, done = [], [], 0.0
    seconds = 1
    while done < requests:
        load = measure(service, script, CLIENTS, seconds)
        done += load.rate * seconds
        seconds = max(1, round(requests / GROWTH_SAMPLES / load.rate))
        if done >= requests / 10:
            counts.append(done)
            sizes.append(service.memory_megabytes())
    grown = slope(counts, sizes) if len(counts) > 1 else float("nan")
    return {
        "requests": round(done),
        "kilobytes_per_thousand_requests": round(grown, 2),
        "first_megabytes": round(sizes[0], 1),
        "last_megabytes": round(sizes[-1], 1),
    }
