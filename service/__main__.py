"""python -m service: starts gunicorn with the service's settings, after a look at the environment.

environ -> Settings -> WEB_CONCURRENCY, as gunicorn wants it -> gunicorn, in place of this process

Gunicorn reads WEB_CONCURRENCY when it is imported, before any settings file: a value that is empty or no
number would end in a traceback.
"""

import os
import sys

from service.config import Settings, SettingsError

COMMAND = ["gunicorn", "-c", "python:service.server.gunicorn_conf", "service.wsgi:application"]

if __name__ == "__main__":
    try:
        os.environ["WEB_CONCURRENCY"] = str(Settings.from_env().workers)
    except SettingsError as error:
        sys.exit(f"digits: {error}.")
    os.execv(sys.executable, [sys.executable, "-m", *COMMAND])  # noqa: S606 - no shell is what is wanted  # nosec B606
