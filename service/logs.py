"""Log lines as JSON objects on stdout, one a line, whatever the values contain.

logging record -> {"time", "level", "message", ...extra} -> one line
"""

import datetime
import json
import logging
from typing import Any

from gunicorn.glogging import Logger

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


_encode = json.JSONEncoder(default=str).encode

# What no line shows is not looked up for each of them: the place in the source, thread and process
# (docs.python.org/3/howto/logging.html#optimization).
logging._srcfile = ""
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; what was passed in `extra=` becomes members of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without a newline at its end or inside."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _encode(line)


class ServerLog(Logger):
    """Gunicorn's log, without a line for each request: the application writes that."""

    def access(self, *_: Any) -> None:
        """Do nothing; gunicorn would put together what no handler takes."""


def logging_config(level: str) -> dict[str, Any]:
    """Return the configuration for `logging.config.dictConfig`: everything to stdout, as JSON.

    level: a name such as "info". Gunicorn's own lines take the same road.
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
            "gunicorn.error": {"level": level.upper(), "handlers": [], "propagate": True},
            "gunicorn.access": {"handlers": [], "propagate": False},  # the application logs requests itself
        },
    }
