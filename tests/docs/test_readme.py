"""The README is short, what it names exists, and one version stands everywhere."""

import re
import tomllib

import pytest

from service import __version__
from service.config import PROJECT
from tests.serving import Server

README = (PROJECT / "README.md").read_text()
LINES = README.splitlines()
# Who may state a version besides service/__init__.py, and in what words.
STATEMENTS = (
    r"ARG VERSION=(\d+\.\d+\.\d+)",
    r"\bdigits(?:-trainer|-models)?:(\d+\.\d+\.\d+)",
    r"newTag: (\d+\.\d+\.\d+)",
)


def test_the_readme_is_read_in_a_minute():
    assert len(LINES) <= 130
    assert max(map(len, LINES)) <= 120


def test_every_folder_of_the_tree_exists():
    tree = README.partition("## Folders")[2].split("```")[1]
    below = ""
    for line in tree.strip().splitlines():
        folders = re.findall(r"\w+/", line[:19] if not line.startswith("  commands/") else line)
        below = "" if not line.startswith(" ") else below
        for folder in folders:
            assert (PROJECT / below / folder).is_dir(), f"{below}{folder}"
        below = below or folders[0]


def test_every_package_is_in_the_tree():
    tree = README.partition("## Folders")[2].split("```")[1]
    for package in ("service", "trainer"):
        for folder in (PROJECT / package).iterdir():
            if folder.is_dir() and not folder.name.startswith("__"):
                assert f" {folder.name}/" in tree, folder


@pytest.mark.parametrize("name", ["folder_to_csv.sh", "folder_in_batches.sh"])
def test_the_shell_loops_are_called_as_they_want_to_be(name: str):
    script = (PROJECT / "tests/clients" / name).read_text()
    (usage,) = re.findall(rf"sh {name} (\S+) \S+ > digits\.csv", script)
    assert f"sh tests/clients/{name} {usage} examples > digits.csv" in README


def test_the_example_is_what_a_server_answers(service: Server):
    (file,) = re.findall(r"curl -F file=@(\S+) localhost:8080/predict", README)
    answer = service.predict((PROJECT / file).read_bytes()).json()
    assert f'"digit": {answer["digit"]}, "confidence": {answer["confidence"]:.4f}' in README


def test_the_project_takes_its_version_from_the_service():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "service.__version__"}


def test_every_statement_of_the_version_agrees():
    files = [PROJECT / "Dockerfile", PROJECT / "README.md", PROJECT / "deploy/README.md"]
    for folder in ("overlays", "components", "compose"):  # not tests/, where a canary has another version
        files += (PROJECT / "deploy" / folder).rglob("*.yaml")
    stated = [
        (str(file.relative_to(PROJECT)), version)
        for file in files
        for pattern in STATEMENTS
        for version in re.findall(pattern, file.read_text())
    ]
    assert len(stated) >= 15
    assert {each for each in stated if each[1] != __version__} == set()


def test_the_changelog_has_the_version():
    assert f"\n## [{__version__}] - 20" in (PROJECT / "CHANGELOG.md").read_text()
