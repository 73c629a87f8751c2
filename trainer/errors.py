"""The one error that ends a command: what went wrong and what to do, in a line."""


class TrainerError(Exception):
    """A command cannot go on; the message is shown on one line and the exit code is 1."""
