"""The commands of trainer/README.md, run as they stand; the table with what they give.

python -m tests.trainer.articles [PART]   print the table with fresh results; only of commands with PART
"""

import contextlib
import io
import re
import shlex
import sys
import tempfile
from pathlib import Path

from tests.serving import PROJECT
from trainer.cli import main

README = PROJECT / "trainer" / "README.md"
ROW = re.compile(
    r"^\| (?P<what>.*?) \| `(?P<command>python -m trainer .*?)` \| (?P<result>.*?) \|$", re.MULTILINE
)


def rows() -> list[tuple[str, str, str]]:
    """Return (what, command, result) of each row of the table."""
    return [match.group("what", "command", "result") for match in ROW.finditer(README.read_text())]


def run(command: str, *more: str) -> str:
    """Run a command in this process, in the current folder, and return what it prints."""
    words = shlex.split(command)[3:]  # after python -m trainer
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = main([*words, *more])
    assert code == 0, f"{command} ended with code {code}"
    return output.getvalue()


def result(output: str) -> str:
    """Return the figure that the table shows: test error, accuracy or error of quantities."""
    for pattern, text in (
        (r"test error +([\d.]+) %", r"\1 % error"),
        (r"mean ([\d.]+) %, standard deviation ([\d.]+)", r"\1 ± \2 % error"),
        (
            r"accuracy +([\d.]+)\n +precision +([\d.]+)\n +recall +([\d.]+)",
            r"\1 right, precision \2, recall \3",
        ),
        (r"root mean squared error +([\d.]+)", r"root mean squared error \1"),
    ):
        found = re.search(pattern, output)
        if found:
            return found.expand(text)
    raise AssertionError(f"no figure in {output!r}")


def print_table(part: str = "") -> None:
    """Print the table of the README with fresh results where the command has `part` in it."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for line in README.read_text().splitlines():
            found = ROW.match(line)
            if found and part in found["command"]:
                quiet = () if "cross-validate" in line else ("--quiet", "--report-test")
                print(f"| {found['what']} | `{found['command']}` | {result(run(found['command'], *quiet))} |")
            elif line.startswith("|"):
                print(line)
            sys.stdout.flush()


if __name__ == "__main__":
    assert Path(README).exists()
    print_table(*sys.argv[1:2])
