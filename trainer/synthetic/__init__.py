"""Pictures generated from a seed: digits drawn stroke by stroke, and pictures that are not digits.

No files are read and nothing is trained here. All randomness comes from the generator that is passed in.
Start reading in `digits.py`, then `outliers.py`.
"""

from trainer.synthetic.digits import draw_digits
from trainer.synthetic.material import generated
from trainer.synthetic.numbers import FAMILIES, compose_number
from trainer.synthetic.outliers import KINDS, make_outlier, make_outliers, outlier_picture
from trainer.synthetic.textures import on_paper
from trainer.synthetic.unusual import draw_unusual, resample_digits

__all__ = [
    "FAMILIES",
    "KINDS",
    "compose_number",
    "draw_digits",
    "draw_unusual",
    "generated",
    "make_outlier",
    "make_outliers",
    "on_paper",
    "outlier_picture",
    "resample_digits",
]
