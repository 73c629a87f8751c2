"""The benchmarks: figures of docs/benchmarks.json as tables and sentences.

benchmarks.json, model files -> docs/benchmarks.md; tables of speed in trainer/README.md
"""

from typing import Any

from docs.markdown import fill, table
from service.config import PROJECT
from service.model.artifact import Artifact, load
from tests.bench import report
from tests.bench_training import distortion_text
from tests.bench_training import table as training_table

PUBLISHED = (  # network, weights, wrong on MNIST's test images in percent
    ("the same layers, [Cireşan et al. 2010](https://arxiv.org/abs/1003.0358)", "1.3 million", "0.49"),
    ("the best single network, five hidden layers, same paper", "12 million", "0.35"),
    (
        "the best committee, seven networks, [Cireşan et al. 2011](https://arxiv.org/abs/1103.4487)",
        "",
        "0.31",
    ),
)


def page(measured: dict[str, Any]) -> str:
    """Return docs/benchmarks.md."""
    serving = measured["serving"]
    turns = f"{serving['rounds']} rounds of {serving['seconds']} s in turns, medians"
    resources = serving.get("resources")
    return f"""# Benchmarks

`python -m docs` generates this page from `docs/benchmarks.json`. To measure again:

    python -m tests.bench_serving --json docs/benchmarks.json
    python -m tests.bench_training --json docs/benchmarks.json
    python -m docs

Ratios travel between machines; absolute figures do not. [How it was measured](measuring.md) has the rules.

## Serving

{measured_by(serving)} {turns}. Every server has two workers.

{absolute(serving["comparison"])}

The next tables state how many times as many requests per second this service answers as each reference. The
references are FastAPI with this project's own model; FastAPI, LitServe and BentoML with ONNX Runtime and a
plain resize; Flask as tutorials write it; and Flask that only reads the upload. They take forms; the column
"raw body" compares this service's raw bodies with them. A star marks a reference that had all connections on
one of its two workers, which flatters this service.

{relative(serving["comparison"])}
{f"{chr(10)}{report.resources(resources)}{chr(10)}" if resources else ""}
{chr(10).join(f"- {each}" for each in report.sentences(serving["figures"]))}

## Training

[The trainer's README](../trainer/README.md#speed) has the tables, beside PyTorch and scikit-learn.

## Accuracy beside published networks

Multilayer perceptrons on MNIST's 10,000 test images, where 0.01 % is one image:

{accuracy()}

Ours is served without convolutions, but two of the four networks that taught it were convolutional. The
networks of the papers had no teachers. [The model card](../models/mnist-28x28.md) states what three seeds
reach without teachers.
"""


def absolute(rows: list[report.Section]) -> str:
    """Return the table of this service's own figures."""
    return table(
        "upload | clients: | requests/s: | p50, ms: | p99, ms:",
        (
            (
                row["upload"],
                row["clients"],
                f"{row['requests_per_second']:,}",
                f"{row['p50_ms']:.1f}",
                f"{row['p99_ms']:.1f}",
            )
            for row in rows
        ),
    )


def relative(rows: list[report.Section]) -> str:
    """Return a table of ratios for each number of clients, the references below each other."""
    tables = []
    for clients in sorted({row["clients"] for row in rows}):
        chosen = [row for row in rows if row["clients"] == clients]
        header = " | ".join(
            ["1 client" if clients == 1 else f"{clients} clients", *(f"{row['upload']}:" for row in chosen)]
        )
        lines = [[name, *(report.ratio(row, name) for row in chosen)] for name in chosen[0]["ratios"]]
        tables.append(table(header, lines))
    return "\n\n".join(tables)


def measured_by(section: dict[str, Any]) -> str:
    """Return where and when a section was measured."""
    return (
        f"Version {section['version']} (commit `{section['commit']}`), {section['date']}, "
        f"{section['processor']}, {section['cores']} cores."
    )


def accuracy() -> str:
    """Return the table of networks, ours first."""
    artifact = load(PROJECT / "models/mnist-28x28.npz")
    wrong = 100 * (1 - artifact.metadata["metrics"]["test"]["accuracy"])
    ours = (
        f"mnist-28x28, {sizes(artifact)}",
        f"{sum(layer.weights.size + layer.biases.size for layer in artifact.layers) / 1e6:.1f} million",
        f"{wrong:.2f}",
    )
    return table("network | weights: | wrong, %:", [ours, *PUBLISHED])


def sizes(artifact: Artifact) -> str:
    """Return the sizes of a network's layers, such as 784-1000-500-10."""
    layers = artifact.layers
    return "-".join(map(str, [layers[0].weights.shape[0], *(layer.weights.shape[1] for layer in layers)]))


def training(readme: str, measured: dict[str, Any]) -> str:
    """Return the trainer's README with the tables of speed."""
    for name in ("training", "training, Haswell"):
        section = measured[name]
        text = (
            f"{measured_by(section)} {section['clock'].capitalize()}, {section['images']:,} images, "
            f"{section['middle']} of {section['rounds']} rounds:\n\n{training_table(section['rows'])}"
            f"\n\n{distortion_text(section['distortion'])}"
        )
        readme = fill(readme, name, text)
    return readme
