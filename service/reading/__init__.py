"""A picture with any number of digits -> all of them, in reading order, with their boxes.

Finding what may be a digit, ordering it in rows, splitting what touches, and choosing with the model what is
one. It holds no state, no lock and no thread, knows no HTTP, and builds on `service.preprocessing` and
`service.model`. Start reading in `reader.py`.
"""

from service.reading.reader import MOST_DIGITS, READING_SIDE, Digit, read, read_file, reading_bytes, text_of

__all__ = ["MOST_DIGITS", "READING_SIDE", "Digit", "read", "read_file", "reading_bytes", "text_of"]
