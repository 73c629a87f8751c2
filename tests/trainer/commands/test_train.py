"""Training by command: what it prints and which files it leaves."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from service.model.artifact import load
from tests.trainer.commands.running import Output, model_of, one_line, train
from tests.trainer.quick import QUICK, run_trainer
from trainer.cli import main
from trainer.training import TrainingConfig


def test_training_with_a_folder_publishes_there(tmp_path: Path, capsys: Output) -> None:
    assert train("--to", "models") == 0
    out = capsys.readouterr().out
    artifact = load(tmp_path / "models" / "digits-8x8.npz")
    assert out.startswith("published models/digits-8x8.npz\n")
    assert artifact.version in out
    assert re.search(r"test error +\d+\.\d\d % of 359 images", out)
    assert (tmp_path / "models" / "digits-8x8.npz").read_bytes() == model_of(tmp_path)


def test_two_runs_with_one_seed_give_the_same_bytes(tmp_path: Path) -> None:
    files = []
    for _ in range(2):
        assert train("--epochs", 3) == 0
        files.append([model_of(tmp_path), (tmp_path / "runs/digits-8x8/digits-8x8.md").read_bytes()])
    assert files[0] == files[1]
    assert train("--epochs", 3, "--seed", 1) == 0
    assert model_of(tmp_path) != files[0][0]


def test_thread_settings_keep_the_bytes(tmp_path: Path) -> None:
    contents = []
    for threads in ("1", "2"):
        done = run_trainer(
            "train", "digits", *QUICK, "--epochs", "2", cwd=tmp_path, OPENBLAS_NUM_THREADS=threads
        )
        assert done.returncode == 0, done.stderr
        contents.append(model_of(tmp_path))
    assert contents[0] == contents[1]


def test_mnist_files_make_a_named_28x28_model(tmp_path: Path, small_mnist: Path) -> None:
    words = ["train", "mnist", "--data", str(small_mnist), *QUICK, "--name", "tiny", "--to", "out"]
    words += ["--drawn", "10"]
    assert main(words) == 0
    artifact = load(tmp_path / "out" / "tiny.npz")
    assert artifact.geometry.side == 28
    command = artifact.metadata["training"]["command"]
    assert str(small_mnist) not in command
    assert command.endswith("--data DIR")
    assert sorted(artifact.metadata["training"]["sources"]) == [
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
    ]


def test_gate_refuses_a_bad_model_and_keeps_its_checkpoint(tmp_path: Path, capsys: Output) -> None:
    assert train("--minimum-accuracy", "0.999", "--to", "models") == 2
    assert "not published: validation accuracy 0." in one_line(capsys.readouterr().err)
    assert not (tmp_path / "models").exists()
    assert (tmp_path / "runs/digits-8x8/checkpoints/digits-8x8.npz").exists()
    assert model_of(tmp_path)


def test_help_lists_every_setting(capsys: Output) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for field in dataclasses.fields(TrainingConfig):
        assert f"--{field.name.replace('_', '-')}" in text or field.name == "augmentation"


def test_each_epoch_is_a_line_of_json(tmp_path: Path) -> None:
    assert train("--log-json", "log.jsonl") == 0
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in entries] == [1, 2, 3, 4, 5, 6]
    for key in (
        "time",
        "model",
        "loss",
        "accuracy",
        "validation_loss",
        "validation_accuracy",
        "learning_rate",
    ):
        assert key in entries[0]
    assert entries[0]["images_per_second"] > 0


def test_report_is_one_self_contained_page(tmp_path: Path) -> None:
    words = [word for word in QUICK if word != "--no-report"]
    assert main(["train", "digits", *words, "--report", "report"]) == 0
    page = (tmp_path / "report" / "report.html").read_text()
    pictures = sorted(path.stem for path in (tmp_path / "report").glob("*.png"))
    assert pictures == [
        *("augmented", "balance", "confusion", "coverage", "curves", "digits"),
        *("mistakes", "reliability", "samples", "weights"),
    ]
    assert page.count("data:image/png;base64,") == len(pictures)
    assert "src=" not in page.replace('src="data:image', "")
    assert "http" not in page


@pytest.mark.parametrize(
    ("name", "figure"), [("sqrt-mean", "root mean squared error"), ("two-classes", "accuracy")]
)
def test_tables_are_trained_tested_and_reported(
    name: str, figure: str, tmp_path: Path, capsys: Output
) -> None:
    assert main(["train", name, "--epochs", "3", "--quiet", "--report", "report"]) == 0
    assert figure in capsys.readouterr().out
    assert (tmp_path / "report" / "report.html").read_text().count("data:image/png") == 2
    assert not (tmp_path / "models").exists()


def test_small_network_learns_from_three_teachers(tmp_path: Path, capsys: Output) -> None:
    for seed in range(3):
        words = ["--seed", str(seed), "--name", f"teacher-{seed}", "--to", "teachers"]
        assert train(*words) == 0
    words = [
        "distill",
        "digits",
        "--teachers",
        "teachers",
        *QUICK,
        "--hidden",
        "16",
        "--soft-temperature",
        "2",
    ]
    assert main([*words, "--soft-share", "1", "--name", "student"]) == 0
    metadata = load(tmp_path / "runs/student/student.npz").metadata
    teachers = {name: digest for name, digest in metadata["training"]["sources"].items() if "teacher" in name}
    assert teachers == {
        f"teacher teacher-{seed}.npz": load(tmp_path / "teachers" / f"teacher-{seed}.npz").sha256
        for seed in range(3)
    }
    assert metadata["metrics"]["test"]["accuracy"] > 0.7  # without one label
    assert metadata["training"]["command"].endswith("--teachers DIR")


def test_teachers_of_another_size_are_refused(quick_model: Path, small_mnist: Path, capsys: Output) -> None:
    words = ["distill", "mnist", "--data", str(small_mnist), "--teachers", str(quick_model.parent), *QUICK]
    assert main(words) == 1
    assert "sees 8 pixels a side, the data set has 28" in one_line(capsys.readouterr().err)
