"""Pen strokes: lines, arcs and splines as paths of points, and the pen that draws them.

    points -> line | curve | arc | smooth_line -> strokes -> draw_strokes -> ink

Coordinates are x to the right and y downwards.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Stroke = np.ndarray  # (points, 2) float64, x and y
POINTS = 24  # of an arc; a curve has half as many for each segment


def line(*points: tuple[float, float]) -> Stroke:
    """Return a stroke with corners at the points, (n, 2)."""
    return np.array(points, float)


def catmull_rom(path: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return a uniform Catmull-Rom spline, (n - 3, len(t), 2): one segment between inner points.

    path: (n, 2); its first and last point only set the direction at the ends. t: (m,) places on each
    segment, 0 at its start and 1 at its end (Catmull and Rom 1974).
    """
    before, start, end, after = (path[i : len(path) - 3 + i, None] for i in range(4))
    t = t[:, None]
    return (
        start
        + t * (end - before) / 2
        + t**2 * (before - 2.5 * start + 2 * end - after / 2)
        + t**3 * (1.5 * (start - end) + (after - before) / 2)
    )


def curve(*points: tuple[float, float]) -> Stroke:
    """Return a smooth stroke through at least two points; its ends go straight on."""
    path = np.array(points, float)
    path = np.vstack((2 * path[0] - path[1], path, 2 * path[-1] - path[-2]))
    return catmull_rom(path, np.linspace(0, 1, POINTS // 2)).reshape(-1, 2)


def smooth_line(points: Stroke, steps: int = 6) -> Stroke:
    """Return a smooth stroke through points, (n, 2), with `steps` places on each segment.

    Fewer than three points are returned as they are.
    """
    if len(points) < 3:
        return points
    path = np.concatenate((points[:1], points, points[-1:]))
    places = catmull_rom(path, np.linspace(0, 1, steps, endpoint=False))
    return np.concatenate((places.reshape(-1, 2), points[-1:]))


def arc(x: float, y: float, width: float, height: float, start: float, end: float) -> Stroke:
    """Return part of an ellipse around (x, y), (POINTS, 2): degrees clockwise from the right."""
    angles = np.radians(np.linspace(start, end, POINTS))
    return np.column_stack((x + width / 2 * np.cos(angles), y + height / 2 * np.sin(angles)))


def joined(*strokes: Stroke) -> Stroke:
    """Return the strokes as one, drawn without lifting the pen."""
    return np.vstack(strokes)


def draw_strokes(strokes: Sequence[Stroke], side: int, width: float) -> np.ndarray:
    """Return (side, side) uint8, ink 255: strokes in pixels, by a pen of that width with a round tip."""
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        points = [(float(x), float(y)) for x, y in stroke]
        draw.line(points, fill=255, width=max(1, round(width)), joint="curve")
        for x, y in (points[0], points[-1]) if width > 2 else ():
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
    return np.asarray(image)
