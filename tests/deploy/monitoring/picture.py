"""The dashboard as a picture for the documents, drawn from what a real Prometheus answers.

    python -m tests.deploy.monitoring.picture deploy/dashboard.png

service under changing load -> Prometheus -> the queries of dashboard.json -> one picture of all panels
"""

import contextlib
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import requests
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tests.deploy.handoff import MODEL
from tests.deploy.monitoring.operator_rule import COMPONENT
from tests.deploy.monitoring.prometheus import Prometheus, running_prometheus
from tests.drawing import draw_digit, encode
from tests.serving import PROJECT, Server, copy_models, running_service
from tests.trainer.quick import QUICK

SECONDS = 150
INK, PAPER, PANEL, GRID = "#d8d9da", "#111217", "#181b1f", "#2c3235"
COLOURS = (
    "#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9",
    "#37872d", "#fade2a", "#447ebc",
)  # fmt: skip


def ask_for_a_while(server: Server, seconds: float) -> None:
    """Post pictures of all kinds, in waves; some of them are not digits."""
    chance, session, end = random.Random(threading.get_ident()), requests.Session(), time.time() + seconds
    pictures = [encode(draw_digit(digit, pen=pen)) for digit in range(10) for pen in (0.07, 0.09, 0.11)]
    photograph = encode(
        draw_digit(4, size=(4000, 3000), ink=(0, 0, 0), paper=(255, 255, 255), mode="RGB"), "JPEG"
    )
    scribble = encode(draw_digit(8, pen=0.5))
    others = [photograph, scribble, b"no picture", encode(draw_digit(1, ink=255))]
    while time.time() < end:
        image = chance.choice(others) if chance.random() < 0.06 else chance.choice(pictures)
        model = {"model": MODEL} if chance.random() < 0.3 else {}
        with contextlib.suppress(requests.ConnectionError):  # of the worker that is killed
            session.post(f"{server.url}/predict", params=model, files={"file": image}, timeout=30)
            if chance.random() < 0.02:
                batch = [("file", one) for one in pictures[:8]]
                session.post(f"{server.url}/predict/batch", files=batch, timeout=30)
        time.sleep(0.06 * (1.4 + math.sin(time.time() / 12)))


def watch(folder: Path) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Return the dashboard's panels and, for each, the series of all its queries."""
    models = copy_models(folder / "models")
    train = [sys.executable, "-m", "trainer", "train", "digits", "--quiet", *QUICK, "--to", str(folder)]
    subprocess.run([*train, "--runs", str(folder / "runs"), "--no-report"], cwd=PROJECT, check=True)
    settings = {"DIGITS_MODELS_DIR": str(models), "DIGITS_MAX_IN_FLIGHT": "2"}  # some are refused
    panels = json.loads((COMPONENT / "dashboard.json").read_text())["panels"]
    with running_service(folder, **settings) as server, running_prometheus(folder, server.port) as prometheus:
        clients = [threading.Thread(target=ask_for_a_while, args=(server, SECONDS)) for _ in range(6)]
        for client in clients:
            client.start()
        time.sleep(SECONDS * 0.6)
        os.replace(folder / f"{MODEL}.npz", models / f"{MODEL}.npz")
        time.sleep(SECONDS * 0.2)
        (models / "broken.npz").write_bytes(b"no model")
        os.kill(server.workers()[0], signal.SIGKILL)
        for client in clients:
            client.join()
        series = [
            [one for target in panel["targets"] for one in over_time(prometheus, target)] for panel in panels
        ]
    return panels, series


def over_time(prometheus: Prometheus, target: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the series of one query over the whole run, each with its legend and its points."""
    now = time.time()
    query = (
        target["expr"].replace("$namespace", ".*").replace("$track", ".*").replace("$__rate_interval", "10s")
    )
    span = {"query": query, "start": now - SECONDS + 8, "end": now - 2, "step": 1}
    answer = requests.get(f"{prometheus.url}/api/v1/query_range", params=span, timeout=30).json()
    found = []
    for one in answer["data"]["result"]:
        legend = target["legendFormat"]
        for label, value in one["metric"].items():
            legend = legend.replace(f"{{{{{label}}}}}", value)
        points = [(moment - now + SECONDS, float(value)) for moment, value in one["values"]]
        found.append({"legend": legend, "labels": one["metric"], "points": points})
    return found


def show(value: float, unit: str) -> str:
    """Return a value as Grafana writes it."""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "reqps":
        return f"{value:.3g} req/s"
    if unit == "bytes":
        return f"{value / 2**20:.3g} MiB"
    if unit == "s":
        for seconds, name in ((86400, "days"), (3600, "hours"), (1, "s")):
            if value >= seconds:
                return f"{value / seconds:.3g} {name}"
        return f"{1000 * value:.3g} ms"
    return f"{value:.3g}"


def draw(panels: list[dict[str, Any]], series: list[list[dict[str, Any]]], file: Path) -> None:
    """Draw all panels in their places on Grafana's grid of 24 columns."""
    mpl.rcParams.update(
        {"font.family": "DejaVu Sans", "font.size": 8, "text.color": INK, "axes.edgecolor": GRID}
    )
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = Figure(figsize=(15, rows * 0.36), facecolor=PAPER, dpi=110)
    for panel, lines in zip(panels, series, strict=True):
        place = panel["gridPos"]
        left, top = place["x"] / 24, 1 - place["y"] / rows
        width, height = place["w"] / 24, place["h"] / rows
        frame = figure.add_axes((left + 0.003, top - height + 0.005, width - 0.006, height - 0.01))
        frame.set(xticks=[], yticks=[], facecolor=PANEL)
        frame.text(
            0.02, 1 - 0.28 / place["h"], panel["title"], transform=frame.transAxes, va="top", weight="bold"
        )
        unit = panel["fieldConfig"]["defaults"]["unit"]
        if panel["type"] == "stat":
            value = show(lines[0]["points"][-1][1], unit)
            frame.text(
                0.5,
                0.36,
                value,
                transform=frame.transAxes,
                ha="center",
                va="center",
                size=24,
                color=COLOURS[0],
            )
        elif panel["type"] == "table":
            draw_table(frame, lines)
        else:
            inside = (left + 0.045, top - height + 1.44 / rows, width - 0.055, height - 2.6 / rows)
            draw_lines(figure.add_axes(inside), panel, lines, unit)
    figure.savefig(file)


def draw_lines(axes: Axes, panel: dict[str, Any], lines: list[dict[str, Any]], unit: str) -> None:
    """Draw one panel's series over time, stacked or not."""
    custom = panel["fieldConfig"]["defaults"]["custom"]
    if len(lines) > 6:  # no room to name those that are zero all the time
        lines = [one for one in lines if any(value for _, value in one["points"])] or lines
    columns = 3 if any(len(one["legend"]) > 3 for one in lines) else 10
    colours = [COLOURS[number % len(COLOURS)] for number in range(len(lines))]
    if custom["stacking"]["mode"] == "normal":
        moments = [moment for moment, _ in lines[0]["points"]]
        values = [dict(one["points"]) for one in lines]
        rows = [[value.get(moment, 0) for moment in moments] for value in values]
        axes.stackplot(moments, rows, colors=colours, alpha=0.75, labels=[one["legend"] for one in lines])
    else:
        for one, colour in zip(lines, colours, strict=True):
            moments, values = zip(*one["points"], strict=True)
            axes.plot(moments, values, color=colour, linewidth=1.3, label=one["legend"])
            axes.fill_between(moments, values, color=colour, alpha=0.08, linewidth=0)
    highest = panel["fieldConfig"]["defaults"].get("max", axes.get_ylim()[1] * 1.1 or 1)
    axes.set(xlim=(8, SECONDS), ylim=(0, highest * 1.02), facecolor=PANEL)
    axes.tick_params(colors="#8e9197", length=0, labelsize=7)
    axes.grid(color=GRID, linewidth=0.6)
    axes.spines[:].set_visible(False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{int(value) // 60}:{int(value) % 60:02}"))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=unit == "short"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: show(value, unit)))
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.47, -0.1), ncol=columns, frameon=False,
        fontsize=7, labelcolor=INK, handlelength=0.9, columnspacing=1.0, handletextpad=0.4,
    )  # fmt: skip


def draw_table(axes: Axes, lines: list[dict[str, Any]]) -> None:
    """Write one row for each series that still has samples at the end."""
    last = max(one["points"][-1][0] for one in lines)
    rows = [one["labels"] for one in lines if one["points"][-1][0] == last]
    for column, name in ((0.05, "model"), (0.5, "version")):
        axes.text(column, 0.76, name, transform=axes.transAxes, color="#8e9197")
        for number, labels in enumerate(rows):
            axes.text(column, 0.64 - 0.12 * number, labels[name], transform=axes.transAxes, size=10)


def main() -> None:
    """Draw the picture."""
    with tempfile.TemporaryDirectory() as folder:
        panels, series = watch(Path(folder))
    draw(panels, series, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
