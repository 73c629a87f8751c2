"""The commands for a model file: evaluate and publish."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from service.model.artifact import load
from tests.serving import MODELS
from tests.trainer.commands.running import Output, one_line
from trainer.cli import main


def test_evaluate_prints_a_table(quick_model: Path, capsys: Output) -> None:
    assert main(["evaluate", str(quick_model), "digits"]) == 0
    out = capsys.readouterr().out
    accuracy = load(quick_model).metadata["metrics"]["test"]["accuracy"]
    assert f"{100 * (1 - accuracy):.2f} %" in out
    assert "true \\ answer" in out


def test_evaluate_prints_json(quick_model: Path, capsys: Output) -> None:
    assert main(["evaluate", str(quick_model), "digits", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    metrics = load(quick_model).metadata["metrics"]["test"]
    assert found["model"] == load(quick_model).version
    assert {name: found[name] for name in metrics} == metrics
    assert sum(map(sum, found["confusion"])) == 359


@pytest.mark.parametrize(("split", "images"), [("test", 359), ("train", 1438), ("all", 1797)])
def test_evaluate_knows_the_splits(quick_model: Path, split: str, images: int, capsys: Output) -> None:
    assert main(["evaluate", str(quick_model), "digits", "--split", split, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == images


def test_evaluate_draws_pictures(quick_model: Path, tmp_path: Path) -> None:
    assert main(["evaluate", str(quick_model), "digits", "--pictures", "out"]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["confusion.png", "coverage.png", "digits.png", "mistakes.png", "reliability.png"]
    for name in names:
        with Image.open(tmp_path / "out" / name) as image:
            assert image.width > 300
            assert len(image.convert("RGB").getcolors(1 << 24) or []) > 20  # something is on it


def test_publish_moves_a_file_into_place(quick_model: Path, tmp_path: Path) -> None:
    words = ["publish", str(quick_model), "--to", "served", "--minimum-accuracy", "0.1"]
    assert main(words) == 0
    assert (tmp_path / "served" / "digits-8x8.npz").read_bytes() == quick_model.read_bytes()


def test_publish_measures_both_models_on_the_same_images(
    quick_model: Path, tmp_path: Path, capsys: Output
) -> None:
    words = ["--to", "served", "--minimum-accuracy", "0.1"]
    assert main(["publish", str(MODELS / "digits-8x8.npz"), *words]) == 0
    before = (tmp_path / "served" / "digits-8x8.npz").read_bytes()
    capsys.readouterr()
    assert main(["publish", str(quick_model), *words]) == 2
    error = one_line(capsys.readouterr().err)
    assert re.search(r"which serves now, 0\.00 % on the same images\. That is worse by more than a", error)
    assert main(["publish", str(quick_model), *words, "--maximum-drop", "1", "--without-notes"]) == 0
    assert re.search(
        r"[0-9a-f]{12} serves +0\.00 ± \d\.\d\d % of 144 images, the same", capsys.readouterr().out
    )
    assert (tmp_path / "served" / "digits-8x8.npz").read_bytes() == quick_model.read_bytes() != before


def test_publish_separates_missing_and_refused_files(tmp_path: Path, capsys: Output) -> None:
    assert main(["publish", "missing.npz", "--to", "served"]) == 1
    assert "No such file or directory" in one_line(capsys.readouterr().err)
    (tmp_path / "broken.npz").write_bytes(b"no model")
    assert main(["publish", "broken.npz", "--to", "served"]) == 2
    assert "broken was not published: it is truncated" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "served").exists()
