"""A training writes to its run folder and nowhere else; publishing is another command."""

import re
from pathlib import Path

import pytest

from service.model.artifact import load
from tests.serving import MODELS, PROJECT
from tests.trainer.quick import QUICK
from trainer.cli import main

Output = pytest.CaptureFixture[str]
FOLDER = Path("runs/digits-8x8")
CHECKPOINT = FOLDER / "checkpoints/digits-8x8.npz"


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def train(*words: str) -> int:
    return main(["train", "digits", *QUICK, *words])


def files() -> list[str]:
    return sorted(str(path) for path in Path().rglob("*") if path.is_file())


def test_run_folder_holds_everything_that_is_made() -> None:
    words = [word for word in QUICK if word != "--no-report"]
    assert main(["train", "digits", *words]) == 0
    assert {path.name for path in FOLDER.iterdir()} == {
        *("digits-8x8.npz", "digits-8x8.md", "report", "log.jsonl", "checkpoints")
    }
    assert all(name.startswith("runs/digits-8x8/") for name in files())
    assert (FOLDER / "log.jsonl").read_text().count("\n") == 6
    assert (FOLDER / "report/report.html").exists()


def test_summary_compares_and_prints_two_commands(capsys: Output) -> None:
    Path("models").symlink_to(MODELS)
    assert train() == 0
    out = capsys.readouterr().out
    assert re.search(r"validation error +\d\.\d\d ± \d\.\d\d % of 144 images\n", out)
    assert re.search(rf"{load(MODELS / 'digits-8x8.npz').version} serves +0\.00 ± .*, the same\n", out)
    assert "DIGITS_MODELS_DIR=runs/digits-8x8 DIGITS_DEFAULT_MODEL=digits-8x8 make serve\n" in out
    assert max(map(len, out.splitlines())) <= 80
    assert out.endswith("-m trainer publish runs/digits-8x8/digits-8x8.npz --to models\n")


def test_test_figures_are_shown_only_on_request(capsys: Output) -> None:
    words = [word for word in QUICK if word != "--no-report"]
    assert main(["train", "digits", *words]) == 0
    pages = [(FOLDER / "digits-8x8.md").read_text(), (FOLDER / "report/report.html").read_text()]
    assert "test error" not in capsys.readouterr().out + "".join(pages)
    assert "F1 on validation" in pages[0]
    assert main(["train", "digits", *words, "--report-test"]) == 0
    assert "test error" in capsys.readouterr().out
    assert "test error" in (FOLDER / "report/report.html").read_text()
    assert "F1 on test" in (FOLDER / "digits-8x8.md").read_text()


def test_repeated_command_keeps_the_checkpoint_aside() -> None:
    assert train() == 0
    first = CHECKPOINT.read_bytes()
    assert train("--seed", "1") == 0
    assert CHECKPOINT.with_name("digits-8x8.npz.1").read_bytes() == first
    second = CHECKPOINT.read_bytes()
    assert train("--seed", "2") == 0
    assert CHECKPOINT.with_name("digits-8x8.npz.1").read_bytes() == second
    assert CHECKPOINT.with_name("digits-8x8.npz.2").read_bytes() == first


def test_resume_with_more_epochs_goes_on(capsys: Output) -> None:
    constant = ["--schedule", "constant"]
    assert train(*constant, "--epochs", "3") == 0
    assert train(*constant, "--epochs", "5", "--resume") == 0
    assert (FOLDER / "log.jsonl").read_text().count("\n") == 5
    continued = (FOLDER / "digits-8x8.npz").read_bytes()
    assert train(*constant, "--epochs", "5") == 0
    assert (FOLDER / "digits-8x8.npz").read_bytes() == continued


def test_continued_cosine_records_both_commands() -> None:
    assert train("--epochs", "3") == 0
    assert train("--epochs", "5", "--resume") == 0
    command = load(FOLDER / "digits-8x8.npz").metadata["training"]["command"]
    first, second = command.split(" && ")
    assert first.endswith("--epochs 5 --epochs 3")
    assert second.endswith("--epochs 5 --resume")


def test_resume_with_fewer_epochs_is_refused(capsys: Output) -> None:
    assert train("--epochs", "3") == 0
    assert train("--epochs", "2", "--resume") == 1
    assert "has 3 epochs already" in capsys.readouterr().err


def test_finished_run_resumes_to_the_same_file() -> None:
    assert train() == 0
    content = (FOLDER / "digits-8x8.npz").read_bytes()
    assert train("--resume") == 0
    assert (FOLDER / "digits-8x8.npz").read_bytes() == content


def test_make_train_writes_below_an_ignored_folder() -> None:
    assert "/runs/" in (PROJECT / ".gitignore").read_text().splitlines()
    recipe = (PROJECT / "Makefile").read_text().partition("\ntrain:")[2].partition("\n\n")[0]
    assert recipe.endswith("-m trainer train digits")


def test_published_model_is_the_one_of_the_run() -> None:
    assert train() == 0
    words = ["publish", str(FOLDER / "digits-8x8.npz"), "--to", "models", "--minimum-accuracy", "0.5"]
    assert main(words) == 0
    assert Path("models/digits-8x8.npz").read_bytes() == (FOLDER / "digits-8x8.npz").read_bytes()
