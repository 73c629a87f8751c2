"""The commands of the articles, docs/articles.json: run as they stand, with what they give.

python -m tests.trainer.articles [PART]   write fresh results; PART: only of commands that contain it
python -m tests.trainer.articles --missing   only of commands that have none yet
"""

import contextlib
import io
import json
import re
import shlex
import sys
import tempfile
from typing import Any

from docs.articles import ARTICLES
from trainer.cli import main

MISSING = "--missing"


def rows() -> list[tuple[str, str, str]]:
    """Return (what, command, result) of each row."""
    return [
        (row["what"], row["command"], row["result"])
        for article in json.loads(ARTICLES.read_text())
        for row in article["rows"]
    ]


def run(command: str, *more: str) -> str:
    """Run a command in this process, in the current folder, and return what it prints."""
    words = shlex.split(command)[3:]  # after python -m trainer
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = main([*words, *more])
    assert code == 0, f"{command} ended with code {code}"
    return output.getvalue()


def result(output: str) -> str:
    """Return the figures that the table shows: test error, those of yes-or-no answers or of quantities."""
    for pattern, text in (
        (r"test error +([\d.]+) %", r"\1 % error"),
        (r"(\d+) of 1797 wrong, ([\d.]+) %$", r"\1 of 1797 wrong, \2 % error"),
        (
            r"accuracy +(\S+)\n +precision +(\S+)\n +recall +(\S+)\n +F1 +(\S+)",
            r"accuracy \1, precision \2, recall \3, F1 \4",
        ),
        (
            r"root mean squared error +(\S+)\n +mean absolute error +(\S+)",
            r"root mean squared error \1, mean absolute error \2",
        ),
    ):
        found = re.search(pattern, output, re.MULTILINE)
        if found:
            return found.expand(text)
    raise AssertionError(f"no figure in {output!r}")


def measure(part: str = "") -> None:
    """Write fresh results of the commands that contain `part`, or of those without one, one by one."""
    articles: list[dict[str, Any]] = json.loads(ARTICLES.read_text())
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for row in (row for article in articles for row in article["rows"]):
            if (not row["result"]) if part == MISSING else part in row["command"]:
                quiet = (
                    () if "cross-validate" in row["command"] else ("--quiet", "--report-test", "--no-report")
                )
                row["result"] = result(run(row["command"], *quiet))
                print(row["command"], row["result"], sep="\n  ", flush=True)
                ARTICLES.write_text(json.dumps(articles, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    measure(*sys.argv[1:2])
