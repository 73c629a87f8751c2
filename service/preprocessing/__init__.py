"""Pictures as people send them -> the pixels that a network sees.

Everything between the bytes of an image file and an MNIST-like picture lives here: decoding, telling paper
from ink, cleaning, cutting out, scaling and centering. No HTTP, no model, nothing but NumPy and Pillow.
Start reading in `pipeline.py`.
"""

from service.preprocessing.decoding import (
    DEFAULT_MAX_PIXELS,
    BrokenImageError,
    EmptyImageError,
    ImageError,
    NoMemoryError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from service.preprocessing.ink import BlankImageError
from service.preprocessing.normalization import DIGITS_GEOMETRY, MNIST_GEOMETRY, Geometry
from service.preprocessing.pipeline import preprocess, preprocess_grey

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "DIGITS_GEOMETRY",
    "MNIST_GEOMETRY",
    "BlankImageError",
    "BrokenImageError",
    "EmptyImageError",
    "Geometry",
    "ImageError",
    "NoMemoryError",
    "TooManyPixelsError",
    "UnsupportedFormatError",
    "preprocess",
    "preprocess_grey",
]
