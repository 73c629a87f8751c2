"""`python -m trainer`."""

import sys

from trainer.interruption import guarded


def run() -> int:
    """Run the command; its imports take a second, in which a signal may arrive too."""
    from trainer.cli import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(guarded(run, sys.argv[1:]))
