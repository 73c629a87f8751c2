"""A picture with any number of digits -> all of them, in reading order, with their boxes.

It finds everything that may be a digit, orders it in rows, splits what touches, and lets the model choose the
digits. No state, no locks, no threads, no HTTP; it builds on `service.preprocessing` and `service.model`.
Start reading in `reader.py`.
"""

from service.reading.reader import MOST_DIGITS, READING_SIDE, Digit, read, read_file, reading_bytes, text_of

__all__ = ["MOST_DIGITS", "READING_SIDE", "Digit", "read", "read_file", "reading_bytes", "text_of"]
