"""Pictures made from a seed: digits drawn stroke by stroke, and pictures of what is not a digit.

No files are read and nothing is trained here.
Start reading in `digits.py`, then `outliers.py`.
"""
