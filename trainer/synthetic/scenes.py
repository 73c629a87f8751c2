"""Scribbles, silhouettes, noise and scenes: pictures of everything else.

random points, masks and shades -> (side, side) uint8, ink 255
"""

import numpy as np
from PIL import Image, ImageDraw

from trainer.data import Examples
from trainer.synthetic.curves import draw_strokes, smooth_line
from trainer.synthetic.shapes import rotated
from trainer.synthetic.textures import clouds, texture


def scribble(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Draw a tangle, a zigzag or a few random strokes."""
    width = side * rng.uniform(0.03, 0.12)
    form = rng.random()
    if form < 0.5:
        points = side * rng.uniform(0.1, 0.9, (rng.integers(4, 12), 2))
        return draw_strokes([smooth_line(points) if rng.random() < 0.6 else points], side, width)
    if form < 0.65:
        count = int(rng.integers(4, 12))
        x = np.linspace(0.12, 0.88, count)
        y = 0.5 + rng.uniform(0.1, 0.38, count) * (-1) ** np.arange(count)
        points = rotated(np.stack((x, y), 1) - 0.5, side, rng.uniform(0, 2 * np.pi))
        return draw_strokes([smooth_line(points) if rng.random() < 0.5 else points], side, width)
    strokes = []
    for _ in range(rng.integers(3, 7)):
        points = side * rng.uniform(0.1, 0.9, (rng.integers(2, 5), 2))
        strokes.append(smooth_line(points) if rng.random() < 0.5 else points)
    return draw_strokes(strokes, side, width)


def silhouette(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Draw a filled, textured object: a blob or a few parts, often symmetric."""
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    narrow = rng.uniform(0.15, 1, 2) if rng.random() < 0.5 else np.ones(2)
    if rng.random() < 0.4:
        draw.polygon(_blob(side, narrow, rng), 255)
    else:
        for _ in range(rng.integers(1, 6)):
            middle, spread = rng.uniform(0.2, 0.8, 2), rng.uniform(0.05, 0.4, 2)
            middle[0] = 0.5 if rng.random() < 0.4 else middle[0]
            left, top = side * (0.5 + narrow * (np.maximum(middle - spread, 0.02) - 0.5))
            right, bottom = side * (0.5 + narrow * (np.minimum(middle + spread, 0.98) - 0.5))
            if rng.random() < 0.3:
                draw.ellipse((left, top, right, bottom), 255)
            else:
                lean = rng.uniform(-0.15, 0.15, 4) * side * narrow[0]
                upper = [(left + lean[0], top), (right + lean[1], top)]
                draw.polygon([*upper, (right + lean[2], bottom), (left + lean[3], bottom)], 255)
    mask = np.asarray(image, np.float32) / 255
    if rng.random() < 0.6:
        mask = np.maximum(mask, mask[:, ::-1])
    if rng.random() < 0.5:  # a piece cut out, such as between two legs or under a handle
        low, high = np.sort(rng.uniform(0, 1, (2, 2)), axis=0) * side
        middle = side * (1 - narrow[0] * rng.uniform(0.05, 0.4, 2) * [1, -1]) / 2
        low[0], high[0] = np.where(rng.random() < 0.6, np.sort(middle), (low[0], high[0]))
        mask[int(low[1]) : int(high[1]), int(low[0]) : int(high[0])] *= rng.choice([0, rng.random()])
    shading = np.float32(rng.uniform(0.5, 1)) + rng.uniform(0, 0.7) * texture(side, rng)
    return (255 * np.clip(mask * shading, 0, 1)).astype(np.uint8)


def _blob(side: int, narrow: np.ndarray, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return a wavy outline around the center; narrow: (2,) factors of its width and height."""
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radii = np.full(60, rng.uniform(0.25, 0.38))
    for wave in range(1, 7):
        radii = radii + rng.normal(0, 0.09 / wave) * np.cos(wave * angles + rng.uniform(0, 6))
    points = side / 2 + side * radii[:, None] * np.stack((np.cos(angles), np.sin(angles)), 1) * narrow
    return [tuple(point) for point in points]


def noise(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Draw noise over the whole picture: uniform, normal, sparse, in cells or cloudy."""
    form = rng.random()
    values: np.ndarray
    if form < 0.12:
        values = rng.uniform(0, 255, (side, side))
    elif form < 0.24:
        values = rng.normal(rng.uniform(60, 200), rng.uniform(20, 90), (side, side))
    elif form < 0.45:
        values = np.where(rng.random((side, side)) < rng.uniform(0.01, 0.5), 255, 0)
    elif form < 0.75:
        cells = int(rng.choice([3, 4, 5, 6, 7, 8, 10, 14, 20]))
        coarse = Image.fromarray((255 * rng.random((cells, cells)) ** rng.uniform(0.5, 4)).astype(np.uint8))
        method = rng.choice([Image.Resampling.NEAREST, Image.Resampling.BICUBIC])
        values = np.asarray(coarse.resize((side, side), int(method)), float)
    else:  # clouds: a sum of octaves, sometimes cut at a level
        values = np.full((side, side), 128.0)
        for octave in range(1, 6):
            values += 128 * clouds(side, 2**octave, 1, rng).astype(float) * rng.uniform(0.4, 0.8) ** octave
        if rng.random() < 0.5:
            values = np.where(values > np.quantile(values, rng.uniform(0.3, 0.9)), 255, 0)
    return np.clip(values, 0, 255).astype(np.uint8)


def scene(side: int, rng: np.random.Generator, digits: Examples) -> np.ndarray:
    """Draw overlapping areas of different gray, as in a photograph of a street or a room."""
    image = Image.new("L", (side, side), int(rng.integers(256)))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(3, 12)):
        shade = int(rng.integers(256))
        if rng.random() < 0.3:
            corners = np.sort(side * rng.uniform(-0.2, 1.2, (2, 2)), axis=0)
            draw.ellipse((*corners[0], *corners[1]), shade)
        else:
            points = side * rng.uniform(-0.2, 1.2, (rng.integers(3, 6), 2))
            draw.polygon([tuple(point) for point in points], shade)
    values = np.asarray(image, float) + rng.uniform(0, 40) * texture(side, rng)
    return np.clip(values, 0, 255).astype(np.uint8)
