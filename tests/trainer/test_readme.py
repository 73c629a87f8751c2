"""The commands in trainer/README.md run; test_articles.py covers the table of the articles."""

import re
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from tests.serving import PROJECT
from tests.trainer.articles import rows as article_rows
from tests.trainer.quick import drawn_pictures, write_mnist
from trainer.cli import main
from trainer.parser import build_parser
from trainer.recipes import recipe_names

README = PROJECT / "trainer" / "README.md"
TEXT = README.read_text()
PYTORCH = find_spec("torch") is not None
GATE = ["--minimum-accuracy", "0", "--maximum-drop", "1"]
TRAINING = [
    "--no-report",
    "--epochs",
    "1",
    "--hidden",
    "8",
    "--outliers",
    "50",
    "--judge-epochs",
    "2",
    "--drawn",
    "10",
    "--quiet",
    *GATE,
]
SMALL = {
    "train": TRAINING,
    "distill": TRAINING,
    "teach": ["--epochs", "1", "--hidden", "8", "--channels", "2", "--drawn", "10", "--quiet"],
    "judge": ["--outliers", "50", "--judge-epochs", "2", *GATE],
    "publish": GATE,
    "cross-validate": ["--splits", "2", "--epochs", "1", "--hidden", "8"],
    "search": ["--trials", "1", "--epochs", "1", "--hidden", "8"],
    "export": [],
}


def commands() -> list[str]:
    """Return every command of the trainer in the README, in order, as it stands."""
    lines = re.findall(r"python -m trainer (?!`)[^`\n#]+(?:\\\n[^`\n#]+)*", TEXT)
    return [line.replace("\\\n", " ").strip() for line in lines]


@pytest.mark.parametrize("command", [one for one in commands() if "--help" not in one and "$seed" not in one])
def test_every_command_parses(command: str) -> None:
    build_parser().parse_args(shlex.split(command)[3:])  # exits with 2 for a wrong word


def test_every_recipe_is_in_the_table() -> None:
    table = TEXT.partition("## Recipes")[2].partition("\n## ")[0]
    for name in recipe_names():
        assert name in table, name


def test_every_named_file_exists() -> None:
    for target in re.findall(r"`((?:service|trainer|tests|models)/[\w./-]+)`", TEXT):
        assert (PROJECT / target).exists() or "NAME" in target, target
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (README.parent / target).exists(), target


def picture_folder(folder: Path) -> Path:
    """Write three pictures of each digit as folder/DIGIT/NUMBER.png."""
    pictures, labels = drawn_pictures(40)
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        path = folder / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return folder


def test_commands_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_model: Path) -> None:
    """As a reader would: each finds what those above it made. DIR is what fits the data set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("trainer.evaluation.refusals.EACH", 3)
    monkeypatch.setattr("trainer.evaluation.numbers.EACH", 3)
    shutil.copytree(quick_model.parent, tmp_path / "candidate")
    mnist, own = write_mnist(tmp_path / "data" / "mnist"), picture_folder(tmp_path / "own")
    articles = {command for _, command, _ in article_rows()}
    done = []
    for command in dict.fromkeys(commands()):  # some stand in two tables
        words = shlex.split(command)[3:]
        if command in articles - {"python -m trainer train two-classes"} or "--help" in words:
            continue
        if words[0] == "teach" and not PYTORCH:
            continue
        if words[0] == "fetch" or {"$seed", "1a2b3c4d5e6f"} & set(words):
            continue  # needs a network; more than one teacher (test_cli.py); a version of another day
        if words[0] == "publish":  # something to roll back to
            assert main(["publish", "models/digits-8x8.npz", "--to", "kept", "--keep", "5", *GATE]) == 0
        folder = own if {"folder", "non-digits"} & set(words) else mnist
        if words[0] in ("train", "distill") and "--to" not in words:
            words += ["--to", "models"]  # in place of the shipped models
        words = [str(next(own.glob("7/*.png"))) if word == "IMAGE..." else word for word in words]
        words = [{"DIR": str(folder), "data/mnist": str(mnist), "/models": "kept"}.get(w, w) for w in words]
        assert main([*words, *SMALL.get(words[0], [])]) == 0, command
        done.append(words[0])
    assert set(done) | {"teach"} == set(SMALL) | {"predict", "evaluate", "versions", "rollback", "remove"}
