"""The errors that end a command: what went wrong and what to do, in a line."""


class TrainerError(Exception):
    """A command cannot go on; the message is shown on one line and the exit code is 1."""


class UsageError(TrainerError):
    """A command was asked for something it does not offer; the exit code is 2."""


class RefusedError(TrainerError):
    """The gate keeps a model out; the exit code is 2, because the same command would end so again."""
