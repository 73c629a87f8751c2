"""What the trainer reaches: docs/articles.json and docs/cross-validation.json as tables.

articles.json         -> trainer/README.md's table of the articles
cross-validation.json -> the errors of the 8x8 recipe by random folds and by writers
"""

import json
from collections.abc import Iterable
from typing import Any

from docs.markdown import table
from service.config import PROJECT

ARTICLES = PROJECT / "docs/articles.json"
CROSS_VALIDATION = PROJECT / "docs/cross-validation.json"
HELD_OUT = {"writer": "whole writers, five folds", "random": "random fifths"}


def articles() -> str:
    """Return the table of every example and exercise, its command and its result."""
    lines: list[tuple[str, str, str]] = []
    for article in json.loads(ARTICLES.read_text()):
        lines.append((f"**{article['article']}**", "", ""))
        lines += [(row["what"], f"`{row['command']}`", row["result"]) for row in article["rows"]]
    return table("what | command | result", lines)


def cross_validation() -> str:
    """Return the table of errors beside a support vector machine on the same folds."""
    header = "held out | learned from | BLAS kernels | wrong: | error: | SVM: | command"
    return table(header, map(_line, json.loads(CROSS_VALIDATION.read_text())))


def _line(row: dict[str, Any]) -> Iterable[str]:
    """Return the cells of one run."""
    (by,) = [text for name, text in HELD_OUT.items() if f"--by {name}" in row["command"]]
    return [
        by,
        "digits and MNIST's" if "--with-mnist" in row["command"] else "digits",
        row["kernels"],
        f"{sum(row['wrong'])} of {sum(row['images']):,}",
        f"{100 * row['error']:.2f} %",
        f"{100 * row['svm_error']:.2f} %",
        f"`{row['command']}`",
    ]
