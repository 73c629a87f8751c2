"""Surfaces: clouds, grain, stripes and gradients, and the paper under a drawing.

side, random numbers -> clouds, texture -> added to pictures
ink, light -> on_paper -> gray picture
"""

import numpy as np
from PIL import Image


def on_paper(ink: np.ndarray, light: np.ndarray | float, contrast: np.floating | float) -> np.ndarray:
    """Return gray values, (side, side), of a drawing in dark ink on lit paper.

    ink: (side, side) in [0, 1]. light: brightness of the blank paper, 0 to 255, one number or an array
    that broadcasts. contrast: share of the light that full ink absorbs, in [0, 1].
    """
    return light * (1 - contrast * ink)


def clouds(side: int, cells: int, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Return (side, side) float32: normal noise in cells x cells places, smoothly enlarged.

    deviation: standard deviation of the noise; its mean is 0.
    """
    coarse = Image.fromarray(rng.normal(0, deviation, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))


def texture(side: int, rng: np.random.Generator) -> np.ndarray:
    """Return (side, side) float32, about -0.5 to 0.5: cloudy, grainy, striped or a gradient."""
    y, x = np.mgrid[:side, :side] / side
    form = rng.random()
    if form < 0.35:
        return clouds(side, int(rng.integers(2, 12)), 0.6, rng)
    if form < 0.5:
        return rng.normal(0, 0.5, (side, side)).astype(np.float32)
    if form < 0.75:
        angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
        waves = np.sin(2 * np.pi * rng.uniform(1, 12) * (x * np.cos(angle) + y * np.sin(angle)))
        return waves.astype(np.float32)
    return (rng.normal(0, 1) * (x - 0.5) + rng.normal(0, 1) * (y - 0.5)).astype(np.float32)
