"""Pictures as people send them -> the pixels that a network sees.

Everything between the bytes of an image file and an MNIST-like picture lives here: decoding, telling paper
from ink, cleaning, cutting out, scaling and centering. No state, no locks, no threads, no HTTP and no models;
it needs only NumPy and Pillow. Start reading in `pipeline.py`.
"""

from service.preprocessing.decoding import (
    DEFAULT_MAX_PIXELS,
    OpenedImage,
    decode,
    open_image,
)
from service.preprocessing.errors import (
    BlankImageError,
    BrokenImageError,
    EmptyImageError,
    ImageError,
    TooManyPixelsError,
    UnsupportedFormatError,
    error_name,
)
from service.preprocessing.normalization import DIGITS_GEOMETRY, MNIST_GEOMETRY, Geometry
from service.preprocessing.opening import FORMATS
from service.preprocessing.pipeline import preprocess, preprocess_grey
from service.preprocessing.readings import Reading, look_again, read_grey
from service.preprocessing.trace import Trace, no_trace

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "DIGITS_GEOMETRY",
    "FORMATS",
    "MNIST_GEOMETRY",
    "BlankImageError",
    "BrokenImageError",
    "EmptyImageError",
    "Geometry",
    "ImageError",
    "OpenedImage",
    "Reading",
    "TooManyPixelsError",
    "Trace",
    "UnsupportedFormatError",
    "decode",
    "error_name",
    "look_again",
    "no_trace",
    "open_image",
    "preprocess",
    "preprocess_grey",
    "read_grey",
]
