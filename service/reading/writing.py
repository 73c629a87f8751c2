"""A gray page -> everything that is written on it.

grey -> darkness relative to the paper -> how dark is ink? -> ruled lines erased -> Writing

The steps are those of `service.preprocessing.ink`, but a page keeps all pieces, not only those of one digit.
"""

from functools import cached_property

import numpy as np
from PIL import Image

from service.preprocessing import BlankImageError
from service.preprocessing.components import Components
from service.preprocessing.ink import MIN_EVEN_SIGNAL_TO_NOISE, MIN_SIGNAL_TO_NOISE, Levels, ink_levels
from service.preprocessing.paper import LIGHT_GRID, TURNED, even_darkness, ink_darkness, paper_light
from service.reading.rules import erase_rules

LEVEL_PIXELS = 65_536  # enough pixels to tell how dark ink is
LONGEST_GRID = 8 * LIGHT_GRID  # tiles along the longer side, at most


class Writing:
    """Everything darker than the paper of a page, without ruled lines.

    pieces: its connected components. shape: (height, width) of the page.
    """

    def __init__(self, darkness: np.ndarray, levels: Levels) -> None:
        """Take the darkness relative to the paper, (height, width) float32, and the levels of its ink."""
        self._darkness, self._levels = darkness, levels
        self.shape = darkness.shape
        self.pieces = Components(darkness > levels.faint, darkness, above=levels.solid)

    @cached_property
    def ink(self) -> np.ndarray:
        """(height, width) float32 in [0, 1], 0 where nothing is written."""
        faint, _, full = self._levels
        return ((self._darkness - faint) * (1 / (full - faint))).clip(0, 1)


def find_writing(grey: np.ndarray) -> Writing:
    """Return what is written on a page, (height, width) float32 in [0, 255]; raises BlankImageError."""
    try:
        darkness = _darkness(grey)
        levels = ink_levels(_some(darkness), MIN_SIGNAL_TO_NOISE)
    except BlankImageError:  # too little paper to estimate its light
        darkness = even_darkness(grey)
        levels = ink_levels(_some(darkness), MIN_EVEN_SIGNAL_TO_NOISE)
    return Writing(erase_rules(darkness, levels.faint), levels)


def _darkness(grey: np.ndarray) -> np.ndarray:
    """Return how much darker than its paper each pixel is, (height, width) float32.

    A digit fills its picture, but not its page: shadows may be as narrow as a quarter of the shorter side.
    """
    steps: list[str] = []
    step = int((grey.size / LEVEL_PIXELS) ** 0.5) or 1
    ink_darkness(np.ascontiguousarray(grey[::step, ::step]), steps.append)
    if TURNED in steps:
        grey = 255 - grey
    height, width = grey.shape
    tile = max(min(height, width) / LIGHT_GRID, max(height, width) / LONGEST_GRID)
    size = max(1, round(width / tile)), max(1, round(height / tile))
    tiles = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX)).astype(np.uint8)
    coarse = Image.fromarray(paper_light(tiles, tiles.shape).clip(1, 255))
    light = np.array(coarse.resize((width, height), Image.Resampling.BILINEAR))
    darkness = np.divide(grey, light, out=light)
    np.subtract(1, darkness, out=darkness)
    darkness *= 255
    return darkness


def _some(darkness: np.ndarray) -> np.ndarray:
    """Return all pixels of a small page, or an even sample of a large one."""
    step = int((darkness.size / LEVEL_PIXELS) ** 0.5) or 1
    return darkness[::step, ::step]
