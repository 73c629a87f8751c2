"""Pictures as people have them all become what the network was trained on."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from service.preprocessing.errors import BlankImageError
from service.preprocessing.normalization import DIGITS_GEOMETRY, MNIST_GEOMETRY
from service.preprocessing.pipeline import preprocess, preprocess_grey
from tests.drawing import draw_digit, encode

DIGITS = range(10)


def pixels_of(image: Image.Image, format: str = "PNG", **options: object) -> np.ndarray:
    return preprocess(encode(image, format, **options), MNIST_GEOMETRY)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two pictures, 1 for equal ones, at the best shift of up to one pixel.

    A center of mass near the middle between two pixels may be rounded either way.
    """
    picture = one.reshape(28, 28)
    shifted = [np.roll(picture, (y, x), (0, 1)).reshape(-1) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return max(float(np.corrcoef(moved, other)[0, 1]) for moved in shifted)


def light(size: tuple[int, int], bright: int, dark: int) -> Image.Image:
    """Return paper in light that falls off from one corner to the other."""
    down = np.linspace(bright, dark, size[1])[:, None] * 0.6
    across = np.linspace(bright, dark, size[0])[None] * 0.4
    return Image.fromarray((down + across).astype(np.uint8))


def on(paper: Image.Image, digit: int) -> Image.Image:
    """Return a drawn digit on the given paper, its ink a quarter as bright."""
    ink = np.asarray(draw_digit(digit, paper.size), float) / 255
    return Image.fromarray((np.asarray(paper) * (0.25 + 0.75 * ink)).astype(np.uint8))


@pytest.mark.parametrize("geometry", [MNIST_GEOMETRY, DIGITS_GEOMETRY])
@pytest.mark.parametrize("digit", DIGITS)
def test_a_digit_in_normal_form_passes_unchanged(digit, geometry):
    pixels = preprocess(encode(draw_digit(digit)), geometry)
    stored = np.rint(pixels.reshape(geometry.side, -1) * 255).astype(np.uint8)
    again = preprocess(encode(Image.fromarray(stored)), geometry)
    np.testing.assert_array_equal(again, stored.reshape(-1) / np.float32(255))


def test_a_small_picture_without_paper_is_not_in_normal_form():
    grey = np.full((8, 8), 60, np.float32)  # as large as its frame and black enough, but on a gray ground
    grey[1:7, 3:5] = 255
    pixels = preprocess_grey(grey, DIGITS_GEOMETRY).reshape(8, 8)
    assert not pixels[:, 0].any()
    assert pixels[:, 3:5].all()


@pytest.mark.parametrize("digit", DIGITS)
def test_polarity_makes_no_difference_in_normal_form(digit):
    stored = np.rint(pixels_of(draw_digit(digit)).reshape(28, 28) * 255).astype(np.uint8)
    np.testing.assert_allclose(
        pixels_of(Image.fromarray(255 - stored)), pixels_of(Image.fromarray(stored)), atol=1e-6
    )


VARIANTS = {
    "light on dark": lambda digit: ImageOps.invert(draw_digit(digit)),
    "blue on yellow": lambda digit: draw_digit(digit, mode="RGB", ink=(20, 30, 160), paper=(240, 225, 150)),
    "yellow on white": lambda digit: draw_digit(digit, mode="RGB", ink=(250, 230, 40), paper=(255, 255, 255)),
    "wide and off center": lambda digit: draw_digit(digit, (800, 240), (0.7, 0.1, 0.6 * 0.25, 0.58)),
    "small in a large frame": lambda digit: draw_digit(digit, (900, 900), (0.1, 0.6, 0.2, 0.23)),
    "uneven light": lambda digit: on(light((300, 300), 235, 120), digit),
    "uneven light, dark paper": lambda digit: on(light((300, 300), 130, 60), digit),
    "light ink in uneven light": lambda digit: ImageOps.invert(on(light((300, 300), 235, 140), digit)),
    "faint pencil": lambda digit: draw_digit(digit, ink=205, paper=235),
    "soft focus": lambda digit: draw_digit(digit).filter(ImageFilter.GaussianBlur(2)),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("digit", DIGITS)
def test_the_same_digit_looks_the_same_however_it_was_taken(digit, variant):
    plain = pixels_of(draw_digit(digit))
    assert likeness(pixels_of(VARIANTS[variant](digit)), plain) > 0.85


@pytest.mark.parametrize("digit", DIGITS)
def test_a_hard_shadow_across_the_paper_leaves_only_the_digit(digit):
    paper = np.full((300, 300), 230.0)
    paper[np.add.outer(np.arange(300), 0.5 * np.arange(300)) > 230] *= 0.65
    pixels = pixels_of(on(Image.fromarray(paper.astype(np.uint8)), digit))
    assert likeness(pixels, pixels_of(draw_digit(digit))) > 0.85


@pytest.mark.parametrize("digit", DIGITS)
def test_noise_and_compression_leave_the_background_at_zero(digit):
    noise = np.random.default_rng(digit).normal(0, 8, (300, 300))
    picture = Image.fromarray(
        (np.asarray(draw_digit(digit, (300, 300), ink=60, paper=200)) + noise).astype(np.uint8)
    )
    pixels = pixels_of(picture, "JPEG", quality=50).reshape(28, 28)
    assert not pixels[:3].any()
    assert not pixels[:, :3].any()
    assert likeness(pixels.reshape(-1), pixels_of(draw_digit(digit))) > 0.85


def with_lines(picture: Image.Image) -> Image.Image:
    draw = ImageDraw.Draw(picture)
    for y in range(15, 200, 40):
        draw.line((0, y, 200, y + 3), fill=120, width=2)
    return picture


def with_frame(picture: Image.Image) -> Image.Image:
    ImageDraw.Draw(picture).rectangle((8, 8, 191, 191), outline=40, width=3)
    return picture


def with_specks(picture: Image.Image) -> Image.Image:
    draw = ImageDraw.Draw(picture)
    for x, y in ((12, 12), (190, 30), (15, 185), (188, 180)):
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=0)
    return picture


def with_a_finger(picture: Image.Image) -> Image.Image:
    ImageDraw.Draw(picture).ellipse((150, 185, 230, 230), fill=90)
    return picture


def with_a_pale_blot(picture: Image.Image) -> Image.Image:
    ImageDraw.Draw(picture).rectangle((2, 2, 197, 25), fill=195)  # more ink in all than the digit has
    return picture


@pytest.mark.parametrize("disturb", [with_lines, with_frame, with_specks, with_a_finger, with_a_pale_blot])
@pytest.mark.parametrize("digit", DIGITS)
def test_only_the_digit_is_kept(digit, disturb):
    assert likeness(pixels_of(disturb(draw_digit(digit))), pixels_of(draw_digit(digit))) > 0.85


@pytest.mark.parametrize(("gap", "stays"), [(8, True), (60, False)])
def test_a_separate_stroke_belongs_to_the_digit_when_it_is_near(gap, stays):
    picture = Image.new("L", (240, 200), 255)
    draw = ImageDraw.Draw(picture)
    draw.line((60, 40, 60, 160), fill=0, width=10)
    draw.line((66 + gap, 45, 96 + gap, 45), fill=0, width=10)  # the hat of a 5, or the next word
    inked = pixels_of(picture).reshape(28, 28).any(axis=0).sum()
    assert (inked > 6) == stays  # columns: the upright stroke by itself fills two


@pytest.mark.parametrize(
    "blank",
    [
        Image.new("L", (200, 200), 255),
        Image.new("L", (28, 28), 0),
        Image.new("RGB", (640, 480), (240, 230, 210)),
        Image.new("RGBA", (100, 100), (0, 0, 0, 0)),
        Image.new("L", (1, 1), 7),
        light((300, 200), 230, 150),
        Image.fromarray(np.random.default_rng(1).normal(200, 3, (200, 300)).astype(np.uint8)),
    ],
    ids=["white", "black", "beige", "transparent", "one pixel", "uneven light", "grain"],
)
def test_a_blank_picture_is_refused(blank):
    with pytest.raises(BlankImageError):
        pixels_of(blank)


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (2, 2), (3, 90), (28, 28), (8, 8), (255, 255)])
def test_pictures_of_any_shape_give_pixels_or_an_image_error(shape):
    rng = np.random.default_rng(3)
    for _ in range(20):
        grey = rng.integers(0, 256, shape, dtype=np.uint8)
        try:
            pixels = preprocess_grey(grey, MNIST_GEOMETRY)
        except BlankImageError:
            continue
        assert pixels.shape == (784,)
        assert pixels.dtype == np.float32
        assert 0 <= pixels.min() <= pixels.max() <= 1


def test_even_paper_gives_the_same_pixels_on_the_long_way(monkeypatch):
    """Its noise is seen to be zero without measuring it; here it is measured as well, for 2,000 pictures."""
    rng = np.random.default_rng(8)
    pictures = []
    for index in range(2000):
        box = (*rng.uniform(0.05, 0.3, 2), *rng.uniform(0.3, 0.7, 2))
        side = int(rng.integers(20, 60))
        ink, paper = (int(value) for value in rng.permutation([rng.integers(0, 100), rng.integers(120, 256)]))
        drawn = draw_digit(index % 10, (4 * side, 4 * side), box, ink, paper, pen=rng.uniform(0.04, 0.15))
        pictures.append(np.asarray(drawn.reduce(4), np.float32))

    def pixels() -> list[bytes]:
        return [preprocess_grey(picture, MNIST_GEOMETRY).tobytes() for picture in pictures]

    def measured(ordered: np.ndarray, level: float) -> float:
        return float(np.median(np.abs(ordered - np.float32(level)).astype(np.float64)))

    short = pixels()
    monkeypatch.setattr("service.preprocessing.ink.median_distance", measured)
    assert pixels() == short
