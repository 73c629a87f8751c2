"""Preprocessing says what it did: each sentence where its step was taken, and only there."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from service.preprocessing.normalization import DIGITS_GEOMETRY, MNIST_GEOMETRY, Geometry
from service.preprocessing.pipeline import preprocess
from tests.drawing import draw_digit, encode

SEVEN = draw_digit(7)
LAST = ["cut out and scaled to fit 20 x 20 pixels", "centered by its mass in 28 x 28"]
TURNED_OVER = "light ink on dark: turned over"


def told(data: bytes, geometry: Geometry = MNIST_GEOMETRY) -> list[str]:
    """Return the sentences, and check that the pixels are the same without a trace."""
    steps: list[str] = []
    pixels = preprocess(data, geometry, steps=steps)
    np.testing.assert_array_equal(preprocess(data, geometry), pixels)
    return steps


def inked(color: tuple[int, int, int], opacity: int = 255) -> Image.Image:
    """Return a 7 of one color on nothing."""
    picture = Image.new("RGBA", SEVEN.size, (*color, 0))
    picture.putalpha(Image.eval(SEVEN, lambda value: (255 - value) * opacity // 255))
    return picture


def with_specks(count: int) -> Image.Image:
    picture = SEVEN.copy()
    for index in range(count):
        ImageDraw.Draw(picture).ellipse((8 + 20 * index, 183, 12 + 20 * index, 187), fill=0)
    return picture


def with_two_strokes_more() -> Image.Image:
    picture = SEVEN.copy()
    ImageDraw.Draw(picture).line((8, 60, 8, 120), fill=0, width=6)
    ImageDraw.Draw(picture).line((192, 60, 192, 120), fill=0, width=6)
    return picture


def with_a_frame() -> Image.Image:
    picture = SEVEN.copy()
    ImageDraw.Draw(picture).rectangle((8, 8, 191, 191), outline=40, width=3)
    return picture


def with_lines() -> Image.Image:
    picture = SEVEN.copy()
    for y in range(15, 200, 40):
        ImageDraw.Draw(picture).line((0, y, 200, y), fill=120, width=2)
    return picture


def in_uneven_light(bright: int, dark: int) -> Image.Image:
    light = np.linspace(bright, dark, 200)[:, None] / 255
    return Image.fromarray((np.asarray(SEVEN) * light).astype(np.uint8))


def test_a_plain_picture_is_only_cut_out_scaled_and_centered():
    assert told(encode(SEVEN)) == LAST


def test_a_digit_that_fills_its_frame_is_set_upright():
    assert told(encode(SEVEN), DIGITS_GEOMETRY) == [
        "cut out and scaled to fit 8 x 8 pixels",
        "set upright, with strokes as bold as those of the 8x8 digits",
    ]


@pytest.mark.parametrize("geometry", [MNIST_GEOMETRY, DIGITS_GEOMETRY])
def test_what_already_is_in_normal_form_is_taken_as_it_is(geometry):
    pixels = preprocess(encode(SEVEN), geometry).reshape(geometry.side, -1)
    normal = Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
    for picture in (normal, ImageOps.invert(normal)):
        assert told(encode(picture), geometry) == ["ink taken as it is: already cut out, scaled and centered"]


def test_turning_upright_is_traced_where_it_happened():
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = SEVEN.transpose(Image.Transpose.ROTATE_90)
    assert told(encode(lying, "JPEG", quality=95, exif=exif))[0] == "turned upright, as its EXIF data says"
    exif[0x0112] = 1
    assert "EXIF" not in " ".join(told(encode(SEVEN, "JPEG", quality=95, exif=exif)))


@pytest.mark.parametrize(("format", "size"), [("PNG", "134 x 100"), ("JPEG", "150 x 113")])
def test_a_large_picture_was_reduced(format, size):
    large = draw_digit(7, (1200, 900))
    assert told(encode(large, format))[0] == f"reduced from 1200 x 900 pixels to {size}"


def test_a_lying_picture_is_reduced_before_it_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = draw_digit(7, (900, 1200)).transpose(Image.Transpose.ROTATE_90)
    assert told(encode(stored, "JPEG", quality=95, exif=exif)) == [
        "reduced from 1200 x 900 pixels to 150 x 113",
        "turned upright, as its EXIF data says",
        *LAST,
    ]


@pytest.mark.parametrize(("factor", "highest"), [(257, 65535), (16, 4080)])
def test_deep_values_were_spread_over_eight_bits(factor, highest):
    deep = Image.fromarray(np.asarray(SEVEN).astype(np.uint16) * factor)
    assert told(encode(deep)) == [f"values from 0 to {highest} spread over 0 to 255", *LAST]


def test_a_transparent_ground_was_laid_on_white():
    assert told(encode(inked((0, 0, 0)))) == ["transparent ground laid on white", *LAST]


def test_white_ink_on_nothing_was_taken_from_its_opacity():
    steps = told(encode(inked((255, 255, 255))))
    assert steps == ["opacity taken for ink: its color does not show on white", *LAST]


def test_an_opaque_picture_with_alpha_counts_as_opaque():
    assert told(encode(SEVEN.convert("RGBA"))) == LAST


@pytest.mark.parametrize(
    ("ink", "channel"), [((255, 230, 40), "blue"), ((90, 255, 255), "red"), ((255, 60, 255), "green")]
)
def test_the_color_channel_that_shows_the_ink_was_taken(ink, channel):
    picture = draw_digit(7, mode="RGB", ink=ink, paper=(255, 255, 255))
    assert f"{channel} channel taken: it shows the ink best" in told(encode(picture))


@pytest.mark.parametrize(
    ("digit", "size", "color"),
    [(4, (157, 120), (255, 50, 242)), (6, (46, 153), (59, 152, 6)), (3, (56, 36), (221, 104, 15))],
)
def test_of_channels_that_are_equally_clear_the_first_was_taken(digit, size, color):
    red, green, blue = color
    picture = draw_digit(digit, size, ink=color, paper=(green, red, blue), mode="RGB")
    assert "red channel taken: it shows the ink best" in told(encode(picture))


def test_black_ink_on_colored_paper_needs_no_single_channel():
    assert told(encode(draw_digit(7, mode="RGB", ink=(0, 0, 0), paper=(240, 230, 200)))) == LAST


@pytest.mark.parametrize("picture", [SEVEN, in_uneven_light(235, 120)], ids=["even light", "uneven light"])
def test_light_ink_on_dark_was_turned_over(picture):
    assert TURNED_OVER not in told(encode(picture))
    assert TURNED_OVER in told(encode(ImageOps.invert(picture)))


def test_only_light_that_is_clearly_uneven_is_mentioned():
    assert "uneven light evened out" in told(encode(in_uneven_light(235, 120)))
    assert "uneven light evened out" not in told(encode(in_uneven_light(235, 225)))


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        (with_specks(1), "1 speck dropped"),
        (with_specks(3), "3 specks dropped"),
        (with_two_strokes_more(), "2 other pieces dropped"),
        (with_a_frame(), "1 frame dropped"),
    ],
)
def test_what_is_not_the_digit_is_counted(picture, sentence):
    assert told(encode(picture)) == [sentence, *LAST]


def test_ruled_lines_were_erased():
    assert "ruled lines erased" in told(encode(with_lines()))


@pytest.mark.parametrize("light_on_dark", [False, True])
def test_only_steps_that_were_kept_are_traced(light_on_dark):
    # So tight a crop shows too little paper to follow its light: one level is taken for all of it.
    bold = draw_digit(1, (60, 60), box=(-0.2, -0.05, 1.4, 1.1), pen=0.3, ink=60, paper=200)
    shaded = Image.fromarray((np.asarray(bold) * np.linspace(1, 0.93, 60)[:, None]).astype(np.uint8))
    expected = [TURNED_OVER, *LAST] if light_on_dark else LAST
    assert told(encode(ImageOps.invert(shaded) if light_on_dark else shaded)) == expected
