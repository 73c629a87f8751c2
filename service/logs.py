"""Log records on stdout, one line each: JSON objects, or readable lines if stdout is a terminal.

logging record, request -> {"time", "level", "message", ...extra} -> JSON
                        -> 14:03:07  200  POST  /predict  3.8 ms  7, on a terminal

Whatever a value contains, it cannot end the line or send control characters to the terminal.
"""

import contextlib
import datetime
import json
import logging
import os
import shutil
import sys
import time
from typing import Any

import orjson

from service import __version__

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
PATH_WIDTH, MIN_PATH_WIDTH = 24, 8
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - addresses to listen on, which no browser can open  # nosec B104


def _encode(members: dict[str, Any]) -> str:
    try:
        return orjson.dumps(members, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # half a surrogate pair, or a number of more than 64 bits
        return json.dumps(members, default=str)


_logger = logging.getLogger(__name__)

# Lines show no source location, thread or process, so `logging` need not look these up
# (docs.python.org/3/howto/logging.html#optimization).
logging._srcfile = ""
logging.raiseExceptions = False  # a full or closed stdout must not stop answers
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def is_terminal() -> bool:
    """Return whether stdout is a terminal."""
    try:
        return sys.stdout.isatty()
    except (AttributeError, ValueError):  # closed
        return False


_terminal = is_terminal()


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object, with the members of `extra=`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, which contains no newline."""
        members = _extra(record)
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return _line(record.created, record.levelno, record.getMessage(), members)


class TerminalFormatter(logging.Formatter):
    """Formats a record for people: the time, what happened, and the members of `extra=`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback follows on lines of its own."""
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        members = "".join(f"  {name}={value}" for name, value in _extra(record).items())
        text = f"{_clock(record.created)}  {level}{_printable(record.getMessage() + members)}"
        if record.exc_info:
            trace = self.formatException(record.exc_info).splitlines()
            text = "\n".join([text, *map(_printable, trace)])
        return text


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _line(moment: float, level: int, message: str, members: dict[str, Any]) -> str:
    """Return the JSON object of an event; moment: in Unix time."""
    when = datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="milliseconds")
    return _encode(
        {"time": when, "level": logging.getLevelName(level).lower(), "message": message, **members}
    )


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))


def _printable(text: str) -> str:
    """Return a text without the control characters of terminals."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def request_line(moment: float, members: dict[str, Any]) -> str:
    """Return the readable line of a request, made from the members of its JSON object.

    moment: in Unix time. The last column says what was answered: a digit, how many of them, how many images,
    or the problem. A path that is too long for the terminal is cut.
    """
    counts = [f"{members[name]} {name}" for name in ("digits", "images") if name in members]
    answer = members.get("problem", members.get("digit", "".join(counts)))
    head = f"{_clock(moment)}  {members['status']}  {members['method']:<4}  "
    tail = f"{members['milliseconds']:>8.1f} ms  {answer}".rstrip()
    room = max(MIN_PATH_WIDTH, shutil.get_terminal_size().columns - len(head + tail))
    path = _printable(members["path"])
    if len(path) > room:
        path = f"{path[: room - 1]}…"
    return f"{head}{path:<{min(PATH_WIDTH, room)}}{tail}"


def log_request(level: int, members: dict[str, Any]) -> None:
    """Write the line of a request, if lines of this level are enabled.

    It bypasses `logging`, whose records take longer to make than the line. Errors of stdout are ignored.
    """
    if _logger.isEnabledFor(level):
        now = time.time()
        line = request_line(now, members) if _terminal else _line(now, level, "request", members)
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


def greet(host: str, port: int, missing: str = "") -> None:
    """Print on a terminal where the service listens and how to stop it.

    host, port: where it listens. missing: the file of the default model, if it is not there yet.
    """
    if _terminal:
        with contextlib.suppress(OSError):
            print(banner(host, port, missing), flush=True)


def banner(host: str, port: int, missing: str = "") -> str:
    """Return the text that `greet` prints."""
    shown = "localhost" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}"
    lines = [f"digits {__version__}", "", f"Draw   {address}", f"API    {address}/docs", "Stop   Ctrl+C"]
    if missing:
        lines.insert(2, f"Wait   {missing} is not in the models folder yet")
    return "\n".join(["", *(f"  {line}".rstrip() for line in lines), ""])


def logging_config(level: str) -> dict[str, Any]:
    """Return what `logging.config.dictConfig` takes: JSON lines on stdout, plain text on a terminal.

    level: a name such as "info". gunicorn's own lines have the same form. On a terminal, "info" shows only
    gunicorn's errors.
    """
    formatter = TerminalFormatter if _terminal else JsonFormatter
    server_level = "error" if _terminal and level == "info" else level
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "line"}
        },
        "root": {"level": level.upper(), "handlers": ["stdout"]},
        "loggers": {
            # uvicorn takes over the handlers of this one.
            "gunicorn.error": {"level": server_level.upper(), "handlers": ["stdout"], "propagate": False},
            "gunicorn.access": {"handlers": [], "propagate": False},  # the application logs requests itself
        },
    }


def silence_libraries() -> None:
    """Keep libraries from logging clients' errors a second time, and C libraries from writing to stderr.

    C libraries print messages about the files that they read. Python's own stderr still works.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
