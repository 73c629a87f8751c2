"""python -m service: check that the service can start, then start gunicorn with its settings.

environ -> Settings -> models folder, port -> gunicorn, in place of this process
                    -> one line on stderr that says what to do, exit status 1

The checks come first, because gunicorn's own failures are hard to read. It parses WEB_CONCURRENCY on import,
and an empty or wrong value ends in a traceback. It retries a port that is in use for five seconds.
"""

import errno
import os
import socket
import sys

from service.config import Settings, SettingsError

COMMAND = ["gunicorn", "-c", "python:service.server.gunicorn_conf", "service.wsgi:application"]


class StartError(Exception):
    """The service cannot start on this machine, although its settings are well formed."""


def check_models(settings: Settings) -> None:
    """Raise StartError if there is no models folder. It may be empty: models can be added later."""
    if not settings.models_dir.is_dir():
        raise StartError(f"the models folder {settings.models_dir} does not exist; set DIGITS_MODELS_DIR")


def check_port(settings: Settings) -> None:
    """Raise StartError if the service cannot listen at its address."""
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port)[0]
        socket.create_server(address, family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            other = settings.port % 65535 + 1
            reason = f"port {settings.port} on {settings.host} is in use; take another, such as PORT={other}"
            raise StartError(reason) from error
        place = f"{settings.host}, port {settings.port}"
        raise StartError(f"cannot listen on {place}: {error.strerror or error}") from error


if __name__ == "__main__":
    try:
        settings = Settings.from_env()
        check_models(settings)
        check_port(settings)
    except (SettingsError, StartError) as error:
        sys.exit(f"digits: {error}.")
    os.environ["WEB_CONCURRENCY"] = str(settings.workers)
    os.execv(sys.executable, [sys.executable, "-m", *COMMAND])  # noqa: S606 - no shell is needed  # nosec B606
