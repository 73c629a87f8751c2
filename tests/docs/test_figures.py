"""The table of figures in a model card is made by commands that print them, and keeps what people wrote."""

import argparse
from pathlib import Path

import pytest

from service.model.artifact import load
from tests.docs.figures import figures, section, write
from tests.drawing import digit_png


def test_each_row_has_the_figure_that_its_command_prints(
    quick_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.evaluation.refusals.EACH", 2)
    for digit in range(10):
        (tmp_path / f"{digit}_somebody.png").write_bytes(digit_png(digit))
    given = argparse.Namespace(mnist=None, photos=tmp_path, drawn=None, clothes=None)
    rows = list(figures(quick_model, given))
    assert rows[0][0] == "10 photographs: wrong"
    assert rows[0][2] == f"python -m trainer evaluate {quick_model} folder --split all --data DIR"
    assert [row[0] for row in rows[1:5]] == [
        "10 photographs: expected calibration error",
        "10 photographs: refused",
        "10 photographs: wrong of the surest 99 %",
        "2 printed letters: refused",
    ]
    text = section(quick_model, iter(rows))
    assert f"Of version `{load(quick_model).version}`" in text
    assert f"| 10 photographs: wrong | {rows[0][1]} | `python -m trainer" in text


def test_a_new_table_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    notes = tmp_path / "some.notes.md"
    write(notes, "## How good it is elsewhere\n\nold\n\n")
    notes.write_text(notes.read_text() + "\n## Limits\n\nWritten by a person.\n")
    write(notes, "## How good it is elsewhere\n\nnew\n\n")
    assert notes.read_text() == "## How good it is elsewhere\n\nnew\n\n## Limits\n\nWritten by a person.\n"
