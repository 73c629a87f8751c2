"""python -m service: checks what a start needs, then starts gunicorn with the service's settings.

environ -> Settings -> models folder, port -> gunicorn, in place of this process
                    -> one line on stderr that says what to do, exit status 1

Gunicorn reads WEB_CONCURRENCY when it is imported, before any settings file: a value that is empty or not
a number would end in a traceback. It would also try a taken port for five seconds.
"""

import errno
import os
import socket
import sys

from service.config import Settings, SettingsError

COMMAND = ["gunicorn", "-c", "python:service.server.gunicorn_conf", "service.wsgi:application"]


class StartError(Exception):
    """The service cannot start, because of the machine it runs on, not because of a malformed setting."""


def check_models(settings: Settings) -> None:
    """Raise StartError if there is no models folder; an empty one may be filled later."""
    if not settings.models_dir.is_dir():
        raise StartError(
            f"the models folder {settings.models_dir} does not exist; DIGITS_MODELS_DIR names it"
        )


def check_port(settings: Settings) -> None:
    """Raise StartError if the service cannot listen at its address."""
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port)[0]
        socket.create_server(address, family=family).close()
    except OSError as error:
        reason = f"cannot listen on [{settings.host}]:{settings.port}: {error.strerror or error}"
        if error.errno == errno.EADDRINUSE:
            reason += f"; take another port, such as PORT={settings.port % 65535 + 1}"
        raise StartError(reason) from error


if __name__ == "__main__":
    try:
        settings = Settings.from_env()
        check_models(settings)
        check_port(settings)
    except (SettingsError, StartError) as error:
        sys.exit(f"digits: {error}.")
    os.environ["WEB_CONCURRENCY"] = str(settings.workers)
    os.execv(sys.executable, [sys.executable, "-m", *COMMAND])  # noqa: S606 - no shell is what is wanted  # nosec B606
