"""The figures of a shipped model on other pictures than its test images, with the command of each.

    python -m tests.docs.figures models/mnist-28x28.npz --mnist DIR --photos DIR --drawn DIR --clothes FILE

measures a model and writes the first section of models/NAME.notes.md, which becomes part of the model card:

    python -m trainer publish models/mnist-28x28.npz --to models

photos, drawn: folders of digits, DIR/7_any-name.png. clothes: Fashion-MNIST's test images or a part of
them, an .npz with an array (n, 28, 28) of bytes. Rows without their pictures are omitted.
"""

import argparse
import contextlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from service.model.artifact import load
from trainer.cli import main

HEADING = "## How good it is elsewhere"
Row = tuple[str, str, str]  # what, figure, command


def measure(command: str, data: Path | None = None) -> Any:
    """Run a command, with `data` for its DIR or FILE, and return the JSON that it prints."""
    words = command.split()[3:]  # after python -m trainer
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = main([*(str(data) if word in ("DIR", "FILE") else word for word in words), "--json"])
    assert code == 0, f"{command} ended with code {code}"
    return json.loads(output.getvalue())


def percent(share: float) -> str:
    """Return a share of one as text."""
    return f"{100 * share:.2f} %"


def digit_rows(what: str, command: str, data: Path) -> Iterator[Row]:
    """Yield the figures on pictures of digits."""
    found = measure(command, data)
    what = f"{found['images']:,} {what}"
    yield f"{what}: wrong", percent(1 - found["accuracy"]), command
    yield f"{what}: expected calibration error", percent(found["calibration_error"]), "the same"
    yield f"{what}: refused", percent(1 - found["accepted"]), "the same"
    yield f"{what}: wrong of the surest 99 %", percent(found["surest_error"]), "the same"


def distorted_rows(command: str, data: Path) -> Iterator[Row]:
    """Yield the errors under other light, pens and sizes."""
    for name, one in measure(command, data).items():
        if isinstance(one, dict) and name != "as it is":
            yield f"the test images {name}: wrong", percent(one["wrong"]), command
            command = "the same"


def refusal_rows(command: str, data: Path | None = None, what: str = "") -> Iterator[Row]:
    """Yield the share of non-digits that is refused, by kind; what: names them instead of the kinds."""
    for name, one in measure(command, data).items():
        if isinstance(one, dict):
            yield f"{one['images']:,} {what or name}: refused", percent(one["refused"]), command
            command = "the same"


def figures(model: Path, given: argparse.Namespace) -> Iterator[Row]:
    """Yield all rows that the given pictures allow."""
    start = f"python -m trainer evaluate {model.as_posix()}"
    if given.mnist:
        yield from digit_rows("test images of MNIST", f"{start} mnist --data DIR", given.mnist)
    if given.photos:
        yield from digit_rows("photographs", f"{start} folder --split all --data DIR", given.photos)
    if given.drawn:
        yield from digit_rows(
            "digits drawn on screens", f"{start} folder --split all --data DIR", given.drawn
        )
    if given.mnist:
        yield from distorted_rows(f"{start} mnist --distorted --data DIR", given.mnist)
    if given.clothes:
        yield from refusal_rows(f"{start} non-digits --data FILE", given.clothes, "clothes (Fashion-MNIST)")
    yield from refusal_rows(f"{start} non-digits")


def section(model: Path, rows: Iterator[Row]) -> str:
    """Return the section with the table, in Markdown."""
    table = [f"| {what} | {figure} | {code(command)} |" for what, figure, command in rows]
    return f"""{HEADING}

Of version `{load(model).version}`, by `python -m tests.docs.figures`. No network has learned these pictures.
Photographs, drawings and clothes were viewed during the development of preprocessing and rejector; test
images were not. Generated non-digits are new pictures of the kinds that the rejector has learned.

| what | figure | command |
|---|---:|---|
{chr(10).join(table)}

"""


def code(command: str) -> str:
    """Return a command as Markdown shows it, other words as they are."""
    return f"`{command}`" if command.startswith("python") else command


def write(notes: Path, text: str) -> None:
    """Put the section into the notes, in place of the old one or at the front."""
    old = notes.read_text() if notes.exists() else ""
    rest = re.sub(rf"^{HEADING}\n.*?(?=^## |\Z)", "", old, flags=re.DOTALL | re.MULTILINE)
    notes.write_text((text + rest).strip() + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure a shipped model on other pictures.")
    parser.add_argument("model", type=Path)
    for name in ("mnist", "photos", "drawn", "clothes"):
        parser.add_argument(f"--{name}", type=Path)
    arguments = parser.parse_args()
    write(
        arguments.model.with_name(f"{arguments.model.stem}.notes.md"),
        section(arguments.model, figures(arguments.model, arguments)),
    )
