"""The documents, and what writes the parts of them that follow from code and measurements.

`python -m docs` writes tables and figures, `python -m docs.pictures` the pictures; `make docs` does both.
Start reading in `__main__.py`.
"""
