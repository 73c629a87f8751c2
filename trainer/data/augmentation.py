"""Distorted copies of training pictures, as other hands, pens and cameras would have made them.

    pictures -> affine + elastic warp -> stroke width -> blur -> fading -> contrast -> noise -> JPEG
             -> pictures

Small pictures are enlarged before and reduced after (`trainer.data.detail`), so that a stroke of one pixel
can move by a third of a pixel.

Every step works on a whole batch of ink (background 0) in NumPy. Like any picture, the result still has to
be normalized as in serving (`service.preprocessing.normalization.normalize`).
"""

import math
from functools import lru_cache

import numpy as np

from trainer.data.detail import enlarge, reduce
from trainer.data.sampling import sample
from trainer.data.settings import Augmentation, in_parts

# A rotated 1 or 7 soon looks like another digit: they rotate half as far (Ciresan et al. 2010, section 2).
HALF_ROTATION_LABELS = (1, 7)
STRIDE = 2  # pixels between the random numbers of the elastic field, which is smooth over five pixels
BLOCK = 8  # side in pixels of the squares that JPEG compresses one by one
FAINT = 0.15  # share of full ink below which serving sees paper (service/preprocessing/ink.py)


def augment(
    pictures: np.ndarray, labels: np.ndarray, settings: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """Return distorted copies, (n, side, side) float32 in [0, 1], background 0.

    pictures: (n, side, side) float32 ink in [0, 1]. labels: (n,) integers, because some digits rotate
    less far than others. A picture that would lose nearly all its ink is returned undistorted, so none
    becomes blank.
    """
    chosen = rng.random(len(pictures)) < settings.share
    distorted = pictures.copy()
    if not chosen.any():
        return distorted
    warped = enlarge(pictures[chosen], settings.detail)
    fine = in_parts(settings)
    warped = warp(warped, labels[chosen], fine, rng)
    warped = _change_strokes(warped, fine, rng)
    warped = _blur(warped, fine, rng)
    warped = _fade(warped, fine, rng)
    warped = _pale(warped, fine, rng)
    warped = _grain(warped, fine, rng)
    warped = _compress(warped, fine, rng)
    warped = reduce(warped, settings.detail)
    kept = warped.max(axis=(1, 2)) > 0.3
    distorted[np.flatnonzero(chosen)[kept]] = warped[kept]
    return distorted


def warp(
    pictures: np.ndarray, labels: np.ndarray, settings: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """Return the pictures after an affine and an elastic displacement, (n, side, side) float32.

    Both displacements are added up first, so that the pictures are interpolated only once.
    """
    n, side, _ = pictures.shape
    rows, columns = _affine_coordinates(labels, side, settings, rng)
    if settings.elastic_alpha > 0:
        field = _elastic_field(n, side, settings, rng)
        rows += field[0]
        columns += field[1]
    return sample(pictures, rows, columns, settings.sampling)


def _elastic_field(n: int, side: int, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Return displacements along rows and columns, (2, n, side, side) float32, in pixels.

    Uniform noise in (-1, 1), smoothed and scaled. One random byte for every second row and column is
    enough, because the smoothing averages over hundreds. The square root of the stride gives the field
    the spread that one number per pixel would have.
    """
    count = side // STRIDE
    noise = np.frombuffer(rng.bytes(2 * n * count * count), np.int8).astype(np.float32)
    noise += 0.5  # -128 ... 127 is centered on -0.5
    smooth = _gaussian_matrix(side, settings.elastic_sigma, STRIDE) * np.float32(math.sqrt(STRIDE))
    # The first product runs over all rows at once: one large product is faster than n small ones.
    across = noise.reshape(-1, count) @ smooth.T * np.float32(settings.elastic_alpha / 128)
    return (smooth @ across.reshape(-1, count, side)).reshape(2, n, side, side)


def _affine_coordinates(
    labels: np.ndarray, side: int, settings: Augmentation, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the row and the column to read for each output pixel, both (n, side, side) float32."""
    n = len(labels)

    def uniform(limit: float) -> np.ndarray:
        return rng.uniform(-limit, limit, (n, 1, 1)).astype(np.float32)

    limits = np.where(np.isin(labels, HALF_ROTATION_LABELS), 0.5, 1.0).astype(np.float32)
    angles = np.radians(uniform(settings.rotation)) * limits[:, None, None]
    row_scale, column_scale = 1 + uniform(settings.scale), 1 + uniform(settings.scale)
    shear = uniform(settings.shear)
    middle = np.float32((side - 1) / 2)
    y = (np.arange(side, dtype=np.float32) - middle)[None, :, None]
    x = (np.arange(side, dtype=np.float32) - middle)[None, None, :]
    cosine, sine = np.cos(angles), np.sin(angles)
    rows = row_scale * (cosine * y - sine * x) + middle + uniform(settings.shift)
    columns = column_scale * (sine * y + cosine * x + shear * y) + middle + uniform(settings.shift)
    return rows, columns


@lru_cache(maxsize=16)
def _gaussian_matrix(side: int, sigma: float, stride: int = 1) -> np.ndarray:
    """Return the (side, side // stride) matrix that convolves a column with a Gaussian.

    sigma: its standard deviation in pixels. stride: pixels between the column's values.
    """
    distance = np.arange(side)[:, None] - (np.arange(side // stride) + 0.5) * stride + 0.5
    kernel = np.exp(-0.5 * (np.arange(-3 * side, 3 * side + 1) / sigma) ** 2)
    return (np.exp(-0.5 * (distance / sigma) ** 2) / kernel.sum()).astype(np.float32)


def _pick(n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    return np.flatnonzero(rng.random(n) < share)


def _change_strokes(pictures: np.ndarray, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Mix a dilation (thicker strokes) or an erosion (thinner strokes) into some of the pictures."""
    picked = _pick(len(pictures), settings.stroke_share, rng)
    for some, limit, extreme in (
        (picked[::2], settings.thicken, np.maximum),
        (picked[1::2], settings.thin, np.minimum),
    ):
        strength = rng.uniform(0, limit, (len(some), 1, 1)).astype(np.float32)
        pictures[some] += strength * (_neighborhood(pictures[some], extreme) - pictures[some])
    return pictures


def _neighborhood(pictures: np.ndarray, extreme: np.ufunc) -> np.ndarray:
    """Return the extreme over each pixel and its four neighbors; outside is background."""
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)))
    vertical = extreme(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1])
    horizontal = extreme(padded[:, 1:-1, :-2], padded[:, 1:-1, 2:])
    return extreme(extreme(vertical, horizontal), pictures)


def _blur(pictures: np.ndarray, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Blur some of the pictures, all in a batch by the same amount."""
    picked = _pick(len(pictures), settings.blur_share, rng)
    smooth = _gaussian_matrix(pictures.shape[1], rng.uniform(0.3, max(settings.blur, 0.3)))
    blurred = smooth @ pictures[picked] @ smooth.T
    pictures[picked] = np.where(blurred > 0.02, blurred, 0)  # the tail of the blur does not count as ink
    return pictures


def _fade(pictures: np.ndarray, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Remove ink in soft patches, as a dry pen or a glossy photograph does."""
    picked = _pick(len(pictures), settings.fading_share, rng)
    side = pictures.shape[1]
    smooth = _gaussian_matrix(side, side / 10)
    patches = smooth @ rng.random((len(picked), side, side), dtype=np.float32) @ smooth.T
    patches -= patches.min(axis=(1, 2), keepdims=True)
    patches /= patches.max(axis=(1, 2), keepdims=True)
    strength = rng.uniform(0, settings.fading, (len(picked), 1, 1)).astype(np.float32)
    pictures[picked] *= 1 - strength * patches
    return pictures


def _pale(pictures: np.ndarray, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Scale down the ink of some of the pictures, as a pencil would."""
    picked = _pick(len(pictures), settings.contrast_share, rng)
    strength = rng.uniform(0, settings.contrast, (len(picked), 1, 1)).astype(np.float32)
    pictures[picked] *= 1 - strength
    return pictures


def _grain(pictures: np.ndarray, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise where there is ink: serving makes the background exactly 0."""
    picked = _pick(len(pictures), settings.noise_share, rng)
    some = pictures[picked]
    strength = rng.uniform(0, settings.noise, (len(picked), 1, 1)).astype(np.float32)
    noisy = some + strength * rng.standard_normal(some.shape, np.float32)
    pictures[picked] = np.where(some > 0, np.clip(noisy, 0, 1), 0)
    return pictures


def _compress(pictures: np.ndarray, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Round the cosine coefficients of 8 x 8 blocks, as JPEG does (ITU-T T.81, annex A).

    All frequencies share one step, while real tables are coarser for the high ones. Serving does not
    mistake what this adds to the background for ink.
    """
    picked = _pick(len(pictures), settings.jpeg_share, rng)
    some, side = pictures[picked], pictures.shape[1]
    blocks = -(-side // BLOCK)
    transform = np.kron(np.eye(blocks, dtype=np.float32), _cosine_matrix())
    margin = blocks * BLOCK - side
    padded = np.pad(some, ((0, 0), (0, margin), (0, margin)))
    steps = rng.uniform(1, max(settings.jpeg, 1), (len(some), 1, 1)).astype(np.float32) / 255
    coefficients = np.rint(transform @ padded @ transform.T / steps) * steps
    damaged = (transform.T @ coefficients @ transform)[:, :side, :side]
    pictures[picked] = np.where((some > 0) | (damaged > FAINT), np.clip(damaged, 0, 1), 0)
    return pictures


def _cosine_matrix() -> np.ndarray:
    """Return the orthonormal discrete cosine transform of 8 values, (8, 8) float32."""
    index = np.arange(BLOCK)
    matrix = np.cos(np.pi / BLOCK * (index + 0.5) * index[:, None]) * np.sqrt(2 / BLOCK)
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)
