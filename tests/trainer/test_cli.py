"""The commands: what they print, which files they leave and how they exit."""

import dataclasses
import errno
import fcntl
import gzip
import importlib
import json
import os
import pty
import random
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.model.artifact import load
from service.preprocessing.normalization import DIGITS_GEOMETRY
from tests.serving import MODELS
from tests.trainer.quick import (
    QUICK,
    run_trainer,
    running_trainer,
    trainer_command,
    trainer_environment,
    write_mnist,
)
from trainer.cli import main
from trainer.distillation.convolution import Kernel, serialize
from trainer.training import CONVOLUTION_SUFFIX, TrainingConfig

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in an empty folder: nothing lands in the project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture(scope="session")
def small_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mnist(tmp_path_factory.mktemp("mnist"))


def train(*words: object) -> int:
    return main(["train", "digits", *QUICK, *map(str, words)])


def model_of(folder: Path, name: str = "digits-8x8") -> bytes:
    """Return the model file that a training in `folder` made."""
    return (folder / "runs" / name / f"{name}.npz").read_bytes()


def one_line(text: str) -> str:
    """Return the only line of an error, without its prefix."""
    assert text.startswith("trainer: ")
    assert text.count("\n") == 1
    return text.removeprefix("trainer: ").strip()


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
        assert train() == 0
        files.append([model_of(tmp_path), (tmp_path / "runs/digits-8x8/digits-8x8.md").read_bytes()])
    assert files[0] == files[1]
    assert train("--seed", 1) == 0
    assert model_of(tmp_path) != files[0][0]


def test_thread_settings_keep_the_bytes(tmp_path: Path) -> None:
    contents = []
    for threads in ("1", "2"):
        done = run_trainer("train", "digits", *QUICK, cwd=tmp_path, OPENBLAS_NUM_THREADS=threads)
        assert done.returncode == 0, done.stderr
        contents.append(model_of(tmp_path))
    assert contents[0] == contents[1]


def test_mnist_files_make_a_named_28x28_model(tmp_path: Path, small_mnist: Path) -> None:
    words = ["train", "mnist", "--data", str(small_mnist), *QUICK, "--name", "tiny", "--to", "out"]
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


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["train", "mnist"], 2, "the data set mnist needs --data DIR"),
        (["train", "mnist", "--data", "nowhere"], 1, "python -m trainer fetch mnist --to nowhere"),
        (["train", "digits", "--recipe", "nothing"], 2, "no recipe 'nothing'"),
        (["train", "digits", "--epochs", "0"], 2, "epochs is 0; input should be greater than or equal to 1"),
        (
            ["train", "digits", "--loss", "binary_cross_entropy", "--output", "tanh"],
            2,
            "needs the output sigmoid or softmax",
        ),
        (["train", "two-classes", "--patience", "3", "--validation", "0"], 2, "--validation above 0"),
        (["train", "digits", "--log-json", "no/folder/log"], 1, "the log no/folder/log cannot be opened"),
        (["distill", "digits", "--teachers", "."], 1, "holds no teacher"),
        (["evaluate", "nothing.npz", "digits"], 1, "No such file or directory"),
        (["publish", "nothing.npz", "--to", "models"], 1, "No such file or directory"),
        (["rollback", "digits-8x8", "--in", "."], 1, "has no model digits-8x8"),
        (["cross-validate", "digits", "--splits", "1"], 2, "--splits is 1; 2 to 1797 are possible"),
        (["fetch", "mnist", "--to", "data", "--mirror", "http://127.0.0.1:9"], 1, "could not be fetched"),
    ],
)
def test_failure_is_one_line_with_a_remedy(
    words: list[str], code: int, complaint: str, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.data.fetch.ATTEMPTS", 1)
    assert main([*words, "--quiet"] if words[0] in ("train", "distill") else words) == code
    assert complaint in one_line(capsys.readouterr().err)


def cut(content: bytes) -> bytes:
    return content[:-20]


def other_magic(content: bytes) -> bytes:
    return gzip.compress(b"\1" + gzip.decompress(content)[1:])


def label_eleven(content: bytes) -> bytes:
    return gzip.compress(gzip.decompress(content)[:-1] + b"\x0b")


@pytest.mark.parametrize(
    ("file", "damage", "complaint"),
    [
        ("train-images-idx3-ubyte.gz", cut, "train-images-idx3-ubyte.gz cannot be read"),
        ("t10k-images-idx3-ubyte.gz", other_magic, "magic 0x01000803, expected 0x00000803"),
        ("train-labels-idx1-ubyte.gz", label_eleven, "a train label is 11; labels are 0 to 9"),
    ],
)
def test_broken_data_are_one_line_and_leave_no_file(
    file: str, damage: Callable[[bytes], bytes], complaint: str, tmp_path: Path, capsys: Output
) -> None:
    path = write_mnist(tmp_path / "data", train=20, test=10) / file
    path.write_bytes(damage(path.read_bytes()))
    assert main(["train", "mnist", "--data", "data", *QUICK]) == 1
    assert complaint in one_line(capsys.readouterr().err)
    assert not list(tmp_path.glob("runs/*/*.npz"))


def test_nan_loss_is_one_line_and_publishes_nothing(tmp_path: Path, capsys: Output) -> None:
    assert train("--learning-rate", "1e30", "--optimizer", "sgd") == 1
    assert re.search(r"the loss became (nan|inf) in epoch \d\. Lower", one_line(capsys.readouterr().err))
    assert not list(tmp_path.glob("runs/*/*.npz"))


@pytest.mark.parametrize("folder", ["runs/digits-8x8/checkpoints", "runs/digits-8x8", "models", "report"])
def test_full_disk_is_one_line_and_leaves_no_partial_file(
    folder: str, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def full(descriptor: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{descriptor}")).parent == tmp_path / folder:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr("os.fsync", full)
    words = [word for word in QUICK if word != "--no-report"]
    assert main(["train", "digits", *words, "--report", "report", "--to", "models"]) == 1
    assert "No space left on device" in one_line(capsys.readouterr().err)
    files = [path for path in (tmp_path / folder).iterdir() if path.is_file()]
    left = [path.name for path in files if path.suffix not in (".png", ".jsonl")]
    assert left == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["teach"],
        ["train"],
        ["train", "letters"],
        ["train", "digits", "--epochs", "many"],
        ["train", "digits", "--name", "../up"],
        ["train", "digits", "--optimizer", "magic"],
        ["publish", "a.npz"],
        ["distill", "digits"],
        ["publish", "a.npz", "--to", "models", "--keep", "1"],
        ["rollback", "../up", "--in", "models"],
        ["rollback", "digits-8x8"],
    ],
)
def test_wrong_usage_exits_with_2(words: list[str], capsys: Output) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: python -m trainer" in capsys.readouterr().err


def test_help_lists_every_setting(capsys: Output) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for field in dataclasses.fields(TrainingConfig):
        assert f"--{field.name.replace('_', '-')}" in text or field.name == "augmentation"


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


def test_unwritable_pictures_are_one_line(quick_model: Path, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "file").write_text("")
    assert main(["evaluate", str(quick_model), "digits", "--pictures", "file/below"]) == 1
    assert "cannot be written" in one_line(capsys.readouterr().err)


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


def test_full_disk_under_the_log_is_one_line(capsys: Output) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    assert train("--log-json", "/dev/full") == 1
    assert "the log /dev/full cannot be written: No space left on device" in one_line(capsys.readouterr().err)


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


@pytest.mark.parametrize("words", [["teach", "digits"], ["distill", "digits", "--teachers", "teachers"]])
def test_missing_pytorch_names_the_requirements_file(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    layers = [Kernel(np.zeros((10, 64), "f4"), np.zeros(10, "f4"))]
    (tmp_path / "teachers").mkdir()
    content = serialize(layers, {"input": DIGITS_GEOMETRY._asdict()})
    (tmp_path / "teachers" / f"one{CONVOLUTION_SUFFIX}").write_bytes(content)
    importlib.import_module("sklearn.datasets")  # SciPy takes the entry below for a module
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    assert main([*words, *(["--to", "teachers"] if words[0] == "teach" else []), "--quiet"]) == 2
    assert "pip install -r trainer/requirements-teachers.txt" in one_line(capsys.readouterr().err)


LONG = (
    *("train", "digits", "--hidden", "64", "--epochs", "25", "--outliers", "50", "--refit"),
    *("--no-report", "--log-json", "log"),
)


def wait_for_epochs(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while not (folder / "log").exists() or (folder / "log").read_text().count("\n") < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The model file of an undisturbed run of LONG."""
    folder = tmp_path_factory.mktemp("long")
    done = run_trainer(*LONG, cwd=folder)
    assert done.returncode == 0, done.stderr
    return model_of(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_leaves_a_checkpoint_to_resume_from(number: int, tmp_path: Path, uninterrupted: bytes) -> None:
    with running_trainer(*LONG, "--quiet", cwd=tmp_path) as process:
        wait_for_epochs(tmp_path, 3)
        process.send_signal(number)
        _, error = process.communicate(timeout=30)
    assert process.returncode == 1
    assert one_line(error) == "interrupted; the same command with --resume continues."
    checkpoints = tmp_path / "runs/digits-8x8/checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == ["digits-8x8.npz"]
    done = run_trainer(*LONG, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert model_of(tmp_path) == uninterrupted


def test_kill_9_at_random_moments_resumes_exactly(tmp_path: Path, uninterrupted: bytes) -> None:
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    for epochs in (1, 1, 26):  # the last one falls into the training on all images, or later
        with running_trainer(*LONG, "--quiet", "--resume", cwd=tmp_path) as process:
            wait_for_epochs(tmp_path, epochs)
            time.sleep(moments.uniform(0, 0.6))
            process.kill()
    done = run_trainer(*LONG, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert model_of(tmp_path) == uninterrupted, f"moments of seed {seed}"


def test_without_a_terminal_progress_is_plain_lines(tmp_path: Path) -> None:
    done = run_trainer("train", "sqrt-mean", "--epochs", "2", cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(r"sqrt-mean: epoch 2/2, loss .*, [\d,]+ images/s, 0:00:00 left", done.stderr)
    assert "\r" not in done.stderr


def test_terminal_progress_is_a_bar_with_time_left(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("4H", 24, 160, 0, 0))  # rows and columns
    command = trainer_command("train", "sqrt-mean", "--epochs", "3")
    process = subprocess.Popen(
        command, cwd=tmp_path, env=trainer_environment(), stdout=subprocess.DEVNULL, stderr=follower
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    assert process.wait(30) == 0
    text = shown.decode()
    assert re.search(r"sqrt-mean: +\d+%\|", text)
    assert "validation loss" in text
    assert "images/s" in text
