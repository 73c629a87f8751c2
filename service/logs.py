"""Log records as JSON objects on stdout, one per line, whatever the values contain.

logging record -> {"time", "level", "message", ...extra} -> one line
"""

import contextlib
import datetime
import json
import logging
import os
import sys
import time
from typing import Any

import orjson

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _encode(members: dict[str, Any]) -> str:
    try:
        return orjson.dumps(members, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # half a surrogate pair, or a number of more than 64 bits
        return json.dumps(members, default=str)


_logger = logging.getLogger(__name__)

# Lines show neither the place in the source nor thread and process, so these are not looked up
# (docs.python.org/3/howto/logging.html#optimization).
logging._srcfile = ""
logging.raiseExceptions = False  # a full or closed stdout must not stop answers
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object, with the members of `extra=`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, which contains no newline."""
        members = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return _line(record.created, record.levelno, record.getMessage(), members)


def _line(moment: float, level: int, message: str, members: dict[str, Any]) -> str:
    """Return the JSON object of an event; moment: in Unix time."""
    when = datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="milliseconds")
    return _encode(
        {"time": when, "level": logging.getLevelName(level).lower(), "message": message, **members}
    )


def log_request(level: int, members: dict[str, Any]) -> None:
    """Write the line of a request, if lines of this level are enabled.

    It bypasses `logging`, whose records take longer to make than the line. Errors of stdout are ignored.
    """
    if _logger.isEnabledFor(level):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stdout.write(f"{_line(time.time(), level, 'request', members)}\n")
            sys.stdout.flush()


def logging_config(level: str) -> dict[str, Any]:
    """Return the configuration for `logging.config.dictConfig`: everything to stdout, as JSON.

    level: a name such as "info". gunicorn's own lines have the same form.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}
        },
        "root": {"level": level.upper(), "handlers": ["stdout"]},
        "loggers": {
            # uvicorn takes over the handlers of this one.
            "gunicorn.error": {"level": level.upper(), "handlers": ["stdout"], "propagate": False},
            "gunicorn.access": {"handlers": [], "propagate": False},  # the application logs requests itself
        },
    }


def silence_libraries() -> None:
    """Log no client's errors twice, and close file descriptor 2 to C libraries; Python's stderr goes on.

    C libraries print messages about the files that they read.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
