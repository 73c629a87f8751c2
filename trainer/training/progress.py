"""Progress of a training: a bar on a terminal, plain lines elsewhere, JSON lines in a log file.

batches, epochs -> stderr, log file
"""

import datetime
import json
import sys
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from trainer.errors import TrainerError

SECONDS_BETWEEN_LINES = 1.0  # an epoch of a small network takes milliseconds

# The figures first: on a narrow terminal, what is at the end of the line is cut off.
BAR = "{desc}: {percentage:3.0f}%|{bar}| {remaining} left{postfix}, {rate_fmt}"


class Progress:
    """Shows the progress of one training; a context manager that closes the bar and the log file."""

    def __init__(
        self,
        name: str,
        rows: int,
        epochs: int,
        done: int = 0,
        *,
        quiet: bool = False,
        log: Path | None = None,
    ) -> None:
        """Open the log file and show the bar.

        rows: examples per epoch. done: epochs of an earlier run. log: file to which JSON lines are
        appended. Raises TrainerError if the log file cannot be opened.
        """
        self.name, self.rows, self.epochs = name, rows, epochs
        terminal = sys.stderr.isatty()
        self.lines = not quiet and not terminal
        self.log_path = log
        try:
            self.log = log.open("ab", buffering=0) if log else None
        except OSError as error:
            raise TrainerError(f"the log {log} cannot be opened: {error.strerror}") from error
        self.bar = tqdm(
            total=rows * epochs,
            initial=rows * done,
            desc=name,
            unit="",  # images, of which no narrow terminal has room to say so
            unit_scale=True,
            disable=quiet or not terminal,
            bar_format=BAR,
            dynamic_ncols=True,
        )
        self.started = self.epoch_started = time.monotonic()
        self.shown = self.started - SECONDS_BETWEEN_LINES
        self.done = self.before = done

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
        if self.log:
            self.log.close()

    def batch(self, rows: int) -> None:
        """Advance the bar by the examples of a step."""
        self.bar.update(rows)

    def epoch(self, latest: dict[str, Any]) -> None:
        """Show the last entry of the history; raise TrainerError if the log cannot be written."""
        now = time.monotonic()
        seconds, self.epoch_started = now - self.epoch_started, now
        self.done += 1
        text = figures_text(latest)
        self.bar.set_postfix_str(bar_text(latest))
        if self.lines and (now - self.shown > SECONDS_BETWEEN_LINES or self.done == self.epochs):
            self.shown = now
            left = (now - self.started) / (self.done - self.before) * (self.epochs - self.done)
            speed = self.rows / seconds
            print(
                f"{self.name}: epoch {latest['epoch']}/{self.epochs}, {text}, {speed:,.0f} images/s, "
                f"{datetime.timedelta(seconds=round(left))} left",
                file=sys.stderr,
                flush=True,
            )
        self._write(
            latest | {"seconds": round(seconds, 3), "images_per_second": round(self.rows / seconds, 1)}
        )

    def _write(self, entry: dict[str, Any]) -> None:
        if not self.log:
            return
        moment = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": moment, "event": "epoch", "model": self.name, **entry})
        try:
            self.log.write(line.encode() + b"\n")
        except OSError as error:
            raise TrainerError(
                f"the log {self.log_path} cannot be written: {error.strerror}. Make room and --resume"
            ) from error


def figures_text(latest: dict[str, Any]) -> str:
    """Return the loss and the validation figures of an epoch as one line."""
    text = f"loss {latest['loss']:.4f}"
    if "validation_loss" in latest:
        text += f", validation loss {latest['validation_loss']:.4f}"
    if "validation_accuracy" in latest:
        text += f", validation {100 * latest['validation_accuracy']:.2f} %"
    return text


def bar_text(latest: dict[str, Any]) -> str:
    """Return the loss and one validation figure, short enough for a bar of 80 columns."""
    text = f"loss {latest['loss']:.3f}"
    if "validation_accuracy" in latest:
        return f"{text}, validation {100 * latest['validation_accuracy']:.2f} %"
    return f"{text}, validation loss {latest['validation_loss']:.3f}" if "validation_loss" in latest else text
