"""Write what the documents take from the code, the models and the measurements: python -m docs.

    OpenAPI, settings, metrics, problems, guarantees.toml -> reference.md
    metadata of the pinned packages                       -> licenses.md
    benchmarks.json, model files                          -> benchmarks.md, trainer/README.md's tables
    articles.json, cross-validation.json                  -> trainer/README.md's tables
    model files and cards, benchmarks.json, the service   -> README.md's figures and its example
    tests/clients, the service                            -> static/clients.json

tests/docs/test_docs.py fails when a document differs from what this would write.
"""

import json
from pathlib import Path
from typing import Any

from docs import articles, benchmarks, clients, headlines, licenses, reference
from docs.markdown import fill
from service.config import PROJECT

README = PROJECT / "README.md"
TRAINER = PROJECT / "trainer/README.md"


def documents() -> dict[Path, str]:
    """Return the text that each generated document should have."""
    measured = json.loads((PROJECT / "docs/benchmarks.json").read_text())
    readme = fill(README.read_text(), "example", headlines.example())
    return {
        PROJECT / "docs/reference.md": reference.page(),
        PROJECT / "docs/licenses.md": licenses.page(),
        PROJECT / "docs/benchmarks.md": benchmarks.page(measured),
        README: fill(readme, "figures", headlines.figures(measured)),
        TRAINER: _trainer(measured),
        PROJECT / "service/static/clients.json": clients.page(),
    }


def _trainer(measured: dict[str, Any]) -> str:
    """Return the trainer's README."""
    text = fill(TRAINER.read_text(), "articles", articles.articles())
    return benchmarks.training(fill(text, "cross-validation", articles.cross_validation()), measured)


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text)
