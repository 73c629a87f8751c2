"""The errors of the 8x8 recipe on digits and writers that it has not learned: docs/cross-validation.json.

    python -m tests.docs.cross_validation --mnist DIR            measure what the file lacks
    python -m tests.docs.cross_validation --mnist DIR --again    measure everything

Each row is one run of `python -m trainer cross-validate`. With other kernels of the BLAS library, sums round
differently, and a few digits change sides; so each command runs with two.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np  # loads OpenBLAS
import threadpoolctl

from tests.serving import PROJECT

RESULTS = PROJECT / "docs/cross-validation.json"
OLDER = "Haswell"  # kernels that every x86-64 processor of the last ten years can run


def commands() -> Iterator[tuple[str, str]]:
    """Yield each command, and the kernels to run it with; "" are those that suit the processor."""
    for kernels in ("", OLDER):
        for by in ("writer", "random"):
            for more in ("", " --with-mnist DIR"):
                yield f"python -m trainer cross-validate digits --by {by}{more}", kernels


def measure(command: str, kernels: str, mnist: Path) -> dict[str, Any]:
    """Run a command and return the row of the file."""
    words = [str(mnist) if word == "DIR" else word for word in command.split()[1:]]
    environment = os.environ | ({"OPENBLAS_CORETYPE": kernels} if kernels else {})
    done = subprocess.run(
        [sys.executable, *words, "--json"], env=environment, cwd=PROJECT, check=True, stdout=subprocess.PIPE
    )
    return {"command": command, "kernels": kernels or own_kernels(), "asked": kernels} | json.loads(
        done.stdout
    )


def own_kernels() -> str:
    """Return the kernels that OpenBLAS chose for this processor."""
    np.ones(1) @ np.ones(1)
    return next((one["architecture"] for one in threadpoolctl.threadpool_info() if "architecture" in one), "")


def main(mnist: Path, again: bool) -> None:
    """Write each row to the file as soon as it is known."""
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() and not again else []
    for command, kernels in commands():
        if any((row["command"], row["asked"]) == (command, kernels) for row in rows):
            continue
        rows.append(measure(command, kernels, mnist))
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
        print(command, kernels, rows[-1]["wrong"], rows[-1]["svm_wrong"], flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure the 8x8 recipe on digits that it has not learned.")
    parser.add_argument("--mnist", type=Path, required=True)
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    main(arguments.mnist, arguments.again)
