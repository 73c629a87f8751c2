"""What fails is one line with a remedy, and leaves no file behind."""

import errno
import gzip
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from service.preprocessing.normalization import DIGITS_GEOMETRY
from tests.trainer.commands.running import Output, one_line, train
from tests.trainer.quick import QUICK, write_mnist
from trainer.cli import main
from trainer.distillation.convolution import Kernel, serialize
from trainer.training import CONVOLUTION_SUFFIX


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
    words = [word for word in QUICK if word != "--no-report" or folder != "report"]
    report = ["--report", "report"] if folder == "report" else []
    assert main(["train", "digits", *words, *report, "--to", "models"]) == 1
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


def test_unwritable_pictures_are_one_line(quick_model: Path, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "file").write_text("")
    assert main(["evaluate", str(quick_model), "digits", "--pictures", "file/below"]) == 1
    assert "cannot be written" in one_line(capsys.readouterr().err)


def test_full_disk_under_the_log_is_one_line(capsys: Output) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    assert train("--log-json", "/dev/full") == 1
    assert "the log /dev/full cannot be written: No space left on device" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize("words", [["teach", "digits"], ["distill", "digits", "--teachers", "teachers"]])
def test_missing_pytorch_names_the_requirements_file(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    layers = [Kernel(np.zeros((10, 64), "f4"), np.zeros(10, "f4"))]
    (tmp_path / "teachers").mkdir()
    content = serialize(layers, {"input": DIGITS_GEOMETRY._asdict()})
    (tmp_path / "teachers" / f"one{CONVOLUTION_SUFFIX}").write_bytes(content)
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    assert main([*words, *(["--to", "teachers"] if words[0] == "teach" else []), "--quiet"]) == 2
    assert "pip install -r trainer/requirements-teachers.txt" in one_line(capsys.readouterr().err)
