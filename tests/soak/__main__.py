"""A soak test: all kinds of load at once, to see whether requests are lost or wrong, or memory grows.

    python -m tests.soak --minutes 10

    the service as shipped, two workers <- honest clients, slow ones, rude ones, floods, huge and broken
    pictures; models replaced and broken, workers killed -> a table of what was answered, lost and held

Exits with 1 if a request was lost that was not on a killed worker, an answer was wrong, an error other than
an intended 503 came back, a counter went backwards, or memory grew.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.serving import copy_models, running_service
from tests.soak.clients import READ_TIMEOUT_SECONDS, Soak, run
from tests.soak.record import Record, report


def main() -> int:
    """Run and report; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    record = Record()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        models = copy_models(folder / "models")
        metrics = folder / "metrics"
        settings = {
            "DIGITS_MODELS_DIR": str(models),
            "DIGITS_READ_TIMEOUT_SECONDS": str(READ_TIMEOUT_SECONDS),
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        }
        with running_service(folder, **settings) as server:
            soak = Soak(server, models, record)
            run(soak, minutes / 10)  # warms up: all kinds of metrics have their files
            early = len(list(metrics.iterdir()))
            record.memory.clear()
            run(soak, minutes)
            report(record, server, (early, len(list(metrics.iterdir()))))
    return 1 if record.failures else 0


if __name__ == "__main__":
    sys.exit(main())
