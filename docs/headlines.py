"""The README's figures and its example.

model cards, benchmarks.json          -> five figures, each beside its command
examples/seven.png -> the service -> the answer that curl would show
"""

import json
import re
from typing import Any

from docs.markdown import table
from service.app import create_app
from service.config import PROJECT, Settings
from service.metrics import Metrics
from service.registry import ModelRegistry

MODEL = "mnist-28x28"
EXAMPLE = PROJECT / "examples/seven.png"
FASTAPI = "FastAPI, uvicorn, this core"
USUAL = 8  # clients


def example() -> str:
    """Return the service's answer for the example picture, with four decimals, as a block of JSON."""
    settings = Settings()
    models = ModelRegistry(settings.models_dir, settings.default_model)
    models.refresh()
    client = create_app(settings, models, Metrics()).test_client()
    response = client.post("/predict", data=EXAMPLE.read_bytes(), content_type="image/png")
    answer = json.loads(response.text, parse_float=lambda number: round(float(number), 4))
    digit, probabilities, accepted = (
        {name: answer[name] for name in names}
        for names in (("digit", "confidence"), ("probabilities",), ("accepted", "model"))
    )
    lines = [json.dumps(part)[1:-1] for part in (digit, probabilities, accepted)]
    return "```json\n{" + ",\n ".join(lines) + "}\n```"


def figures(measured: dict[str, Any]) -> str:
    """Return the table of headline figures."""
    serving = measured["serving"]
    small = next(row for row in serving["comparison"] if row["clients"] == USUAL)
    slow = serving["figures"]["slow_clients"]
    bench = "`python -m tests.bench_serving`"
    card = card_figures()
    rows = [
        card_row(card, "test images of MNIST: wrong", "MNIST images: wrong"),
        card_row(card, "digits drawn on screens: wrong", "drawings: wrong"),
        card_row(card, "clothes (Fashion-MNIST): refused", "clothes: refused"),
        (
            f"{small['upload']}s per second, {small['clients']} clients ({serving['version']})",
            f"{small['requests_per_second']:,}, {small['ratios'][FASTAPI]:.2f} times FastAPI's",
            bench,
        ),
        (
            f"p99 beside {slow['slow_clients']} slow clients ({serving['version']})",
            f"{slow['p99_ms']:.1f} ms",
            bench,
        ),
    ]
    return table("what | figure: | command", rows)


def card_figures() -> dict[str, tuple[str, str]]:
    """Return figure and command by name, from the table that tests.docs.figures adds to a model's notes."""
    rows: dict[str, tuple[str, str]] = {}
    command = ""
    for line in (PROJECT / f"models/{MODEL}.notes.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 3 and re.fullmatch(r"[\d.]+ %", cells[1]):
            command = command if cells[2] == "the same" else cells[2]
            rows[cells[0]] = (cells[1], command)
    return rows


def card_row(card: dict[str, tuple[str, str]], name: str, label: str) -> tuple[str, str, str]:
    """Return the row of the figure `name`, under `label`; both follow the number of images."""
    ((count, figure, command),) = [
        (each.partition(" ")[0], *row) for each, row in card.items() if each.partition(" ")[2] == name
    ]
    return f"{count} {label}", figure, command
