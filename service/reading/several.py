"""Notice several digits on a picture that should show one.

    what preprocessing did and its pixels -> may_hold_several, at once -> holds_several: the picture is read

Most pictures hold one piece; for them the first check is enough. A part of a neighbor that the picture's edge
cuts is not a digit.
"""

import numpy as np

from service.model.classifier import Classifier, Prediction
from service.preprocessing import Geometry, ImageError, Reading
from service.preprocessing.components import Components
from service.preprocessing.normalization import box_of
from service.reading.glyphs import Glyph
from service.reading.reader import read_glyphs

INKED = 0.1
WIDE = 0.75  # width over height from which a picture may show two digits that are close
HIGH = 0.5  # of the picture's ink: pieces so high may be digits of their own
TOUCHING = 0.45  # width over height from which a refused picture may show two digits
NEIGHBOR = 0.6  # of the highest digit's height: anything lower is not a second digit


def may_hold_several(reading: Reading, prediction: Prediction, geometry: Geometry) -> bool:
    """Return whether a picture has to be read to know how many digits it shows.

    reading: the chosen one. prediction: the answer for it.
    """
    if reading.has_left_out:
        return True
    if not geometry.margin or reading.is_ready_made:
        return False
    picture = reading.pixels.reshape(geometry.side, geometry.side)
    inked = picture > INKED
    _, left, height, width = box_of(inked)
    if not height:
        return False
    if not prediction.accepted and width >= TOUCHING * height:
        return True
    is_without_gap = inked[:, left : left + width].any(axis=0).all()
    if width < WIDE * height and is_without_gap:
        return False
    boxes = Components(inked, picture).boxes
    return int(np.count_nonzero(boxes.bottom - boxes.top >= HIGH * height)) > 1


def holds_several(grey: np.ndarray, classifier: Classifier) -> bool:
    """Return whether a picture, (height, width) float32 in [0, 255], shows two digits or more."""
    try:
        rows = read_glyphs(grey, classifier)
    except ImageError:
        return False
    digits = [one for row in rows for one in row if one.prediction.accepted]
    whole = [one for one in digits if not _is_cut(one.glyph, grey.shape)] or digits
    highest = max((one.glyph.height for one in whole), default=0)
    return sum(one.glyph.height >= NEIGHBOR * highest for one in whole) > 1


def _is_cut(glyph: Glyph, shape: tuple[int, ...]) -> bool:
    """Return whether a glyph touches the edge of a picture of this shape."""
    return min(glyph.top, glyph.left, shape[0] - glyph.bottom, shape[1] - glyph.right) == 0


def with_several(prediction: Prediction, several: bool) -> Prediction:
    """Return a prediction, not accepted if its picture shows several digits."""
    return prediction._replace(accepted=False, several=True) if several else prediction
