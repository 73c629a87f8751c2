"""Ctrl-C and SIGTERM: a command ends within two seconds, with one line and exit code 1.

    signal -> Interrupted in the main thread -> guarded() prints the line -> exit code 1
           -> the watching thread -> if that takes longer than GRACE_SECONDS: the line, os._exit

The main thread may be inside a long matrix product, or inside code that swallows the exception. The watching
thread still sees the signal, because it reads the wake-up descriptor. It may end the process at any moment.
Checkpoints and model files are replaced in one step, so the last complete ones stay.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

GRACE_SECONDS = 1.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RESUMABLE = ("train", "distill", "teach")

_printed = threading.Lock()  # acquired by the thread that prints the line


class Interrupted(KeyboardInterrupt):
    """A signal has arrived.

    It has its own type because dataclasses and many imports call `exec` on a string. Python remembers a plain
    KeyboardInterrupt that leaves such a call, and ends as if killed by SIGINT even if it was caught.
    """


def guarded(run: Callable[[], int], argv: list[str]) -> int:
    """Return the exit code of `run`, or 1 after one line if a signal interrupts it.

    argv: the command; the line's advice depends on it. A signal that the parent process ignores, as
    nohup does with SIGHUP, stays ignored.
    """
    try:  # set before the first handler, because Python ends as if killed by an interrupt that is not caught
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _interrupt)
        threading.Thread(target=_watch, args=(reader, argv), daemon=True).start()
        code = run()
        _ignore_signals()
    except KeyboardInterrupt:
        _print_line(argv)
        return 1
    return code


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupt the main thread, once: further signals must not disturb it while it ends."""
    _ignore_signals()
    raise Interrupted


def _ignore_signals() -> None:
    """Ignore further signals while the interpreter ends; the watching thread still sees earlier ones."""
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)


def _watch(reader: int, argv: list[str]) -> None:
    """End the process if the main thread has not done so GRACE_SECONDS after a signal."""
    os.read(reader, 1)
    time.sleep(GRACE_SECONDS)
    _print_line(argv)
    sys.stdout.flush()
    os._exit(1)


def _print_line(argv: list[str]) -> None:
    """Print the line, unless the other thread has printed it."""
    if _printed.acquire(blocking=False):
        resume = "; the same command with --resume continues" if argv[:1] and argv[0] in RESUMABLE else ""
        print(f"trainer: interrupted{resume}.", file=sys.stderr, flush=True)
