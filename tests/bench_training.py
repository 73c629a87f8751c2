"""How fast training is, beside PyTorch and scikit-learn on the same cores and data.

    python -m tests.bench_training [--images 20000] [--rounds 5] [--best] [--one-thread] [--json FILE]

One epoch of each is timed in turn, round after round, so that whatever else the machine does hits all
of them; the table shows medians, and ratios against the references of the same run. "At most" is what the
bare products would need: scikit-learn multiplies with the same library, so nothing that makes the
same products can be further ahead of it. Needs tests/requirements-torch.txt for the column of PyTorch.
With --one-thread, everything runs on one thread and processor time is counted instead of wall time: other
work on the machine then hardly shows.
"""

import argparse
import functools
import itertools
import math
import os
import resource
import statistics
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl

import trainer.training.step
from service.preprocessing.normalization import MNIST_GEOMETRY
from tests.bench.report import machine, write_section
from trainer.data import Augmentation, Examples
from trainer.nn import one_hot
from trainer.recipes import load_config
from trainer.training import Task, TrainingConfig, epoch_batches, initial_state, train
from trainer.training.task import Batch

NETWORKS = ((800,), (1000, 500))
BATCHES = (128, 256)
CLOCK = [time.perf_counter]  # or process_time


def pictures(images: int) -> Examples:
    """Return blobs with MNIST's share of ink; their content does not change the time."""
    rng = np.random.default_rng(0)
    inked = rng.random((images, 28, 28), np.float32)
    inked[:, :4] = inked[:, 24:] = inked[:, :, :4] = inked[:, :, 24:] = 0
    inked[inked < 0.6] = 0
    return Examples(inked, rng.integers(0, 10, images))


def seconds(work: Callable[[], object]) -> float:
    """Return the time of one call."""
    started = CLOCK[0]()
    work()
    return CLOCK[0]() - started


def ours(examples: Examples, hidden: tuple[int, ...], batch: int) -> Callable[[], float]:
    """Return a function that trains one epoch with this trainer and returns its seconds."""
    config = TrainingConfig(hidden=hidden, batch_size=batch, averaging=0, epochs=1)
    pixels, targets = examples.pixels, one_hot(examples.labels)

    def batches(epoch: int) -> Iterator[Batch]:
        order = np.random.default_rng(epoch).permutation(len(pixels))
        for start in range(0, len(pixels), batch):
            chosen = order[start : start + batch]
            yield pixels[chosen], targets[chosen]

    return epoch_of(Task(784, 10, len(pixels), batches, (pixels[:0], targets[:0])), config)


def epoch_of(task: Task, config: TrainingConfig) -> Callable[[], float]:
    """Return a function that trains fresh weights for one epoch; drawing them is not timed."""

    def work() -> float:
        state = initial_state(config, task.inputs, task.outputs)
        return seconds(lambda: train(state, task, config))

    return work


def distortion(examples: Examples, rounds: int) -> dict[str, float]:
    """Return the median microseconds an image, by library, in which the MNIST recipe's batches are made."""
    times: dict[str, list[float]] = {"numpy": [], "opencv": []}
    for _ in range(rounds):
        for sampling, values in times.items():
            config = load_config("mnist-28x28", argparse.Namespace(batch_size=256, sampling=sampling))
            made = epoch_batches(examples, MNIST_GEOMETRY, config, 0)
            values.append(seconds(functools.partial(deque, made, maxlen=0)))
    return {name: round(1e6 * statistics.median(values) / len(examples), 1) for name, values in times.items()}


def ours_augmented(examples: Examples, hidden: tuple[int, ...], batch: int) -> Callable[[], float]:
    """Return a function that trains one epoch with the distortions of the MNIST recipe."""
    recipe = load_config("mnist-28x28", argparse.Namespace(batch_size=batch))
    config = TrainingConfig(
        hidden=hidden, batch_size=batch, averaging=0, epochs=1, augmentation=recipe.augmentation
    )
    assert config.augmentation != Augmentation(share=0)
    empty = (examples.pixels[:0], one_hot(examples.labels[:0]))
    task = Task(
        784, 10, len(examples), lambda epoch: epoch_batches(examples, MNIST_GEOMETRY, config, epoch), empty
    )
    return epoch_of(task, config)


def products(examples: Examples, hidden: tuple[int, ...], batch: int) -> Callable[[], float]:
    """Return a function that does the matrix products of one epoch and nothing else."""
    sizes = (784, *hidden, 10)
    rng = np.random.default_rng(0)
    signals = [rng.random((batch, size), np.float32) for size in sizes]
    weights = [rng.random((a, b), np.float32) for a, b in itertools.pairwise(sizes)]
    gradients = [np.empty_like(one) for one in weights]
    outputs = [np.empty_like(one) for one in signals]

    def step() -> None:
        for index, one in enumerate(weights):
            np.matmul(signals[index], one, out=outputs[index + 1])
        for index in reversed(range(len(weights))):
            np.matmul(signals[index].T, signals[index + 1], out=gradients[index])
            if index:
                np.matmul(signals[index + 1], weights[index].T, out=outputs[index])

    return lambda: seconds(lambda: [step() for _ in range(-(-len(examples) // batch))])


def scikit_learn(examples: Examples, hidden: tuple[int, ...], batch: int) -> Callable[[], float]:
    """Return a function that trains one epoch with MLPClassifier."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore", ConvergenceWarning)
    return lambda: seconds(
        lambda: MLPClassifier(hidden, batch_size=batch, max_iter=1, alpha=0).fit(
            examples.pixels, examples.labels
        )
    )


def pytorch(examples: Examples, hidden: tuple[int, ...], batch: int) -> Callable[[], float] | None:
    """Return a function that trains one epoch with PyTorch in eager mode; None where it is absent."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1 if CLOCK[0] is time.process_time else 2)
    sizes = (784, *hidden, 10)
    layers: list[torch.nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters())
    pixels, labels = torch.from_numpy(examples.pixels), torch.from_numpy(examples.labels)

    def epoch() -> None:
        order = torch.randperm(len(pixels))
        for start in range(0, len(pixels), batch):
            chosen = order[start : start + batch]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(pixels[chosen]), labels[chosen]).backward()
            optimizer.step()

    return lambda: seconds(epoch)


def compare(
    examples: Examples, hidden: tuple[int, ...], batch: int, rounds: int, best: bool
) -> dict[str, float]:
    """Return the seconds of an epoch by name, measured in turn: the median, or the best."""
    contenders = {
        "ours": ours(examples, hidden, batch),
        "PyTorch": pytorch(examples, hidden, batch),
        "scikit-learn": scikit_learn(examples, hidden, batch),
        "products": products(examples, hidden, batch),
        "with distortion": ours_augmented(examples, hidden, batch),
    }
    present = {name: work for name, work in contenders.items() if work}
    times: dict[str, list[float]] = {name: [] for name in present}
    for _ in range(rounds):
        for name, work in present.items():
            times[name].append(work())
    middle = min if best else statistics.median
    return {name: middle(values) for name, values in times.items()}


def kernels() -> str:
    """Return for which processor NumPy's library of matrix products was told or chose to work."""
    used = {one["architecture"] for one in threadpoolctl.threadpool_info() if "architecture" in one}
    told = "as OPENBLAS_CORETYPE told it" if os.environ.get("OPENBLAS_CORETYPE") else "as it chose itself"
    return f"OpenBLAS uses its kernels for {', '.join(sorted(used)) or 'an unknown processor'}, {told}."


def ratios(hidden: tuple[int, ...], batch: int, images: int, times: dict[str, float]) -> dict[str, Any]:
    """Return a row of the table; times: seconds of an epoch by name. A reference that is absent is None."""
    ours = times["ours"]
    pytorch = times.get("PyTorch")
    return {
        "network": "-".join(map(str, (784, *hidden, 10))),
        "batch": batch,
        "images_per_second": round(images / ours),
        "pytorch": round(pytorch / ours, 3) if pytorch else None,
        "scikit_learn": round(times["scikit-learn"] / ours, 3),
        "scikit_learn_at_most": round(times["scikit-learn"] / times["products"], 3),
        "bare_products": round(ours / times["products"], 3),
        "distortion": round(times["with distortion"] / ours - 1, 3),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows of `ratios` as Markdown."""
    lines = [
        "| network | batch | images/s | PyTorch | scikit-learn, at most | bare products | distortion |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        pytorch = f"{row['pytorch']:.2f}x" if row["pytorch"] else "absent"
        lines.append(
            f"| {row['network']} | {row['batch']} | {row['images_per_second']:,} | {pytorch} "
            f"| {row['scikit_learn']:.2f}x of {row['scikit_learn_at_most']:.2f}x "
            f"| {row['bare_products']:.2f} of their time | {100 * row['distortion']:+.0f} % |"
        )
    return "\n".join(lines)


def distortion_text(microseconds: dict[str, float]) -> str:
    """Return a sentence of the times that `distortion` returns."""
    ours, opencv = microseconds["numpy"], microseconds["opencv"]
    return f"Distortion by itself, one thread: {ours} µs an image, and {opencv} with `--sampling opencv`."


def main() -> None:
    """Print the table; with --json, keep its figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20_000, help="of an epoch; default 20000")
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--one-thread", action="store_true", help="one thread each, processor time")
    parser.add_argument(
        "--best", action="store_true", help="best round instead of the median: on a machine with other work"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures into FILE as well")
    arguments = parser.parse_args()
    if arguments.one_thread:
        CLOCK[0] = time.process_time
        trainer.training.step.WORTH_A_THREAD = math.inf  # type: ignore[assignment]
        threadpoolctl.threadpool_limits(1)
    examples = pictures(arguments.images)
    load = os.getloadavg()[0]
    middle = "best" if arguments.best else "median"
    print(f"One epoch of {arguments.images:,} images, Adam, float32, {middle} of {arguments.rounds} rounds,")
    kind = "one thread, processor time" if arguments.one_thread else "two threads, wall time"
    print(f"{kind}, {os.cpu_count()} cores, load before the run {load:.1f}.\n{kernels()}\n")
    rows = []
    for hidden in NETWORKS:
        for batch in BATCHES:
            times = compare(examples, hidden, batch, arguments.rounds, arguments.best)
            rows.append(ratios(hidden, batch, arguments.images, times))
            lines = table(rows[-1:])
            print(lines if len(rows) == 1 else lines.splitlines()[-1], flush=True)
    with threadpoolctl.threadpool_limits(1):
        alone = distortion(examples, arguments.rounds)
    print(f"\n{distortion_text(alone)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"Peak memory of this process, references included: {peak:.0f} MiB.")
    if arguments.json:
        told = os.environ.get("OPENBLAS_CORETYPE")
        section = {**machine(), "images": arguments.images, "rounds": arguments.rounds, "middle": middle}
        section |= {"clock": kind, "kernels": told or "chosen by OpenBLAS", "rows": rows, "distortion": alone}
        write_section(arguments.json, f"training, {told}" if told else "training", section)


if __name__ == "__main__":
    main()
