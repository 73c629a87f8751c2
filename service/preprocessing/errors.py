"""Every way in which an image cannot be classified: one tree, free of HTTP.

The first line of each docstring is the title that clients see and never changes; the message of an error
says what to do about it.
"""

import re


def error_name(error: type[Exception]) -> str:
    """Return the name of an error in metrics and URLs, such as "blank-image" for BlankImageError."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__.removesuffix("Error")).lower()


class ImageError(Exception):
    """The image cannot be classified."""


class EmptyImageError(ImageError):
    """The request holds no image."""


class UnsupportedFormatError(ImageError):
    """The image format is not supported."""


class TooManyPixelsError(ImageError):
    """The image has too many pixels."""


class BrokenImageError(ImageError):
    """The image is broken or truncated."""


class BlankImageError(ImageError):
    """The image has no ink to classify."""
