"""`python -m trainer`: the commands by name, and how each ends.

argv -> parser -> one function per command (trainer/commands) -> exit code

0: done. 1: failed. 2: the same command would fail again, because of wrong usage or because the gate refused
the model. A Kubernetes Job retries after a 1, not after a 2.
"""

import argparse
import sys
from collections.abc import Callable

import threadpoolctl

from trainer import commands
from trainer.errors import FAILURES, failure
from trainer.parser import build_parser
from trainer.stages import silent

COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "train": commands.train,
    "distill": commands.train,
    "teach": commands.teach,
    "predict": commands.predict,
    "evaluate": commands.evaluate_model,
    "cross-validate": commands.cross_validate_recipe,
    "judge": commands.judge,
    "export": commands.export,
    "search": commands.search_settings,
    "fetch": commands.fetch,
    "publish": commands.publish_file,
    "rollback": commands.roll_back,
    "remove": commands.remove_model,
    "versions": commands.print_versions,
}


def main(argv: list[str]) -> int:
    """Run one command and return its exit code; a failure prints one line on stderr."""
    arguments = build_parser().parse_args(argv)
    arguments.argv = argv
    try:
        # The order of a sum decides its last bits. One BLAS thread gives the same order on every machine;
        # trainer/training/step.py keeps both cores busy at a higher level.
        with threadpoolctl.threadpool_limits(1, "blas"), silent(getattr(arguments, "quiet", False)):
            return COMMANDS[arguments.command](arguments)
    except FAILURES as error:
        code, line = failure(error)
        print(f"trainer: {line}", file=sys.stderr)
        return code
