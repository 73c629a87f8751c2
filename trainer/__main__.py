"""`python -m trainer`."""

import sys

from trainer.interruption import guarded


def run() -> int:
    """Run the command. Its imports take a second, and a signal may arrive during that second."""
    from trainer.cli import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(guarded(run, sys.argv[1:]))
