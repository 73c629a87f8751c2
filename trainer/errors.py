"""The errors that end a command, and the exit code and the line that each becomes.

exception -> failure -> exit code, one line that says what went wrong and what to do
"""

from pydantic import ValidationError

from service.model.errors import ArtifactError


class TrainerError(Exception):
    """A command cannot continue. Exit code 1: it may succeed when tried again."""


class UsageError(TrainerError):
    """A command was used in a way it does not support. Exit code 2: trying again does not help."""


class RefusedError(TrainerError):
    """The gate does not publish a model. Exit code 2: trying again does not help."""


def settings_error(error: ValidationError) -> str:
    """Return the first thing that is wrong with settings, in one line without a full stop."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "value_error":  # raised by a validator of our own
        return str(first["ctx"]["error"])
    name = first["loc"][0] if first["loc"] else "a setting"
    message = first["msg"]
    return f"{name} is {first['input']!r}; {message[0].lower()}{message[1:]}"


# What `failure` translates; every other exception is a bug and keeps its traceback.
FAILURES = (TrainerError, ArtifactError, OSError, MemoryError)


def failure(error: BaseException) -> tuple[int, str]:
    """Return the exit code and the line for one of FAILURES."""
    if isinstance(error, UsageError | RefusedError):
        return 2, f"{error}."
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return 1, f"{where}{error.strerror or error}."
    if isinstance(error, MemoryError):
        return 1, "out of memory. Use fewer --hidden units or a smaller --batch-size."
    return 1, f"{error}."
