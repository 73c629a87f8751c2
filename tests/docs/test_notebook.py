"""The notebook trains, serves and asks: its cells run in order, as a kernel would run them."""

import json
import re
import subprocess
import sys

from tests.serving import PROJECT

NOTEBOOK = PROJECT / "docs/train-serve-ask.ipynb"


def test_the_notebook_trains_serves_and_gets_the_digit() -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in cells] == [[]] * len(cells)  # nothing of an earlier run is kept
    code = "\n".join("".join(cell["source"]) for cell in cells)
    command = [sys.executable, "-"]
    done = subprocess.run(
        command, cwd=NOTEBOOK.parent, input=code, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    share = re.search(r"^(\d\.\d+) of digits", done.stdout, re.M)
    assert share, done.stdout
    assert float(share[1]) > 0.9
    assert re.search(r"^(\d) for a \1, [\d.]+ % sure, says mine$", done.stdout, re.M), done.stdout
