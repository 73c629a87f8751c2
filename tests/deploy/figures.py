"""Every measured figure of deploy/, by one command: memory and CPU of a pod and of a training, the hand-over.

    python -m tests.deploy.figures            measures for some minutes, writes figures.json and the README
    python -m tests.deploy.figures --write    writes the README from figures.json

tests.deploy.memory, tests.deploy.handoff, a training -> figures.json -> the README's blocks
"""

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from docs.markdown import fill
from tests.deploy import handoff, memory
from tests.deploy.rendering import DEPLOY
from tests.serving import PROJECT

FIGURES, README = DEPLOY / "figures.json", DEPLOY / "README.md"


def training() -> dict[str, float]:
    """Train digits-8x8 as the nightly Job does; return its peak of memory in MiB and its seconds of CPU."""
    with tempfile.TemporaryDirectory() as runs:
        command = [
            sys.executable,
            "-m",
            "trainer",
            "train",
            "digits",
            "--quiet",
            "--runs",
            runs,
            "--no-report",
        ]
        process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the training ended with {status}")
    return {
        "peak_mebibytes": round(usage.ru_maxrss / 1024),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime),
    }


def measure() -> dict[str, Any]:
    """Measure everything."""
    return {"memory": memory.measure(), "training": training(), "handoff": handoff.measure()}


def readme(text: str, figures: dict[str, Any]) -> str:
    """Return the README with these figures."""
    pod = memory.table(figures["memory"])
    job = figures["training"]
    pod += (
        f"\n\nTraining `digits-8x8` takes {job['peak_mebibytes']} MiB and {job['cpu_seconds']} s of CPU, "
        "behind those of its Jobs."
    )
    return fill(fill(text, "pod", pod), "hand-over", "\n".join(f"    {line}" for line in figures["handoff"]))


if __name__ == "__main__":
    if "--write" not in sys.argv[1:]:
        FIGURES.write_text(json.dumps(measure(), indent=1) + "\n")
    README.write_text(readme(README.read_text(), json.loads(FIGURES.read_text())))
