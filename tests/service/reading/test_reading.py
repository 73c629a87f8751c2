"""All digits of a page are found, in reading order, with boxes in the pixels of the picture as sent."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.model.artifact import load
from service.model.classifier import Classifier
from service.preprocessing import BlankImageError, open_image
from service.reading import MOST_DIGITS, READING_SIDE, Digit, read, read_file, text_of
from tests.drawing import draw_digit, encode
from tests.service.reading.pages import Page
from tests.serving import MODELS


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load(MODELS / "mnist-28x28.npz"), "mnist-28x28")


def lines(page: Page, classifier: Classifier) -> list[str]:
    """Return the accepted digits of each row of a page."""
    return [text_of(row) for row in read(page.pixels.astype(np.float32), classifier)]


def sent(image: Image.Image, classifier: Classifier, **options: object) -> list[list[Digit]]:
    """Return what is read of an image file."""
    format = str(options.pop("format", "PNG"))
    return read_file(open_image(encode(image, format, **options), working_side=READING_SIDE), classifier)


def assert_boxes(rows: list[list[Digit]], boxes: list[tuple[int, int, int, int]], within: int) -> None:
    """Check that the boxes of digits are where they were drawn."""
    found = [digit.box for row in rows for digit in row]
    assert len(found) == len(boxes)
    for one, other in zip(found, boxes, strict=True):
        assert np.abs(np.subtract(one, other)).max() <= within, (one, other)


@pytest.mark.parametrize("number", ["1275", "90", "8346502719", "4"])
def test_a_number_is_read_from_left_to_right(classifier, number):
    assert lines(Page(900).write(number), classifier) == [number]


def test_light_digits_on_a_dark_page_are_read(classifier):
    page = Page().write("3068")
    page.pixels = 255 - page.pixels
    assert lines(page, classifier) == ["3068"]


def test_rows_are_read_from_top_to_bottom(classifier):
    page = Page(500, 330).write("271", top=20).write("8040", left=90, top=125).write("6", top=230)
    assert lines(page, classifier) == ["271", "8040", "6"]


def test_a_row_that_climbs_stays_one_row(classifier):
    page = Page(620, 330)
    for index, digit in enumerate("27480361"):
        page.put(int(digit), 20 + 70 * index, 230 - 14 * index)
    assert lines(page, classifier) == ["27480361"]


def test_a_box_is_where_its_digit_was_drawn(classifier):
    page = Page().write("4071")
    rows = read(page.pixels.astype(np.float32), classifier)
    assert_boxes(rows, page.boxes, within=1)


@pytest.mark.parametrize(("width", "height"), [(2400, 1300), (5003, 2001)])
def test_boxes_of_a_reduced_picture_are_in_its_own_pixels(classifier, width, height):
    page = Page(width, height).write("4071", left=200, top=300, height=400, gap=90)
    for options in ({"format": "PNG", "compress_level": 1}, {"format": "JPEG", "quality": 90}):
        rows = sent(page.image(), classifier, **options)
        assert [text_of(row) for row in rows] == ["4071"]
        assert_boxes(rows, page.boxes, within=2 * width // READING_SIDE)


def test_boxes_of_a_turned_picture_are_those_of_the_upright_one(classifier):
    page = Page(900, 400).write("271", left=100, top=80, height=200)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    stored = page.image().transpose(Image.Transpose.ROTATE_90)
    rows = sent(stored, classifier, exif=exif)
    assert [text_of(row) for row in rows] == ["271"]
    assert_boxes(rows, page.boxes, within=2)


@pytest.mark.parametrize("gap", [3, 0, -3])
def test_touching_digits_are_split(classifier, gap):
    for number in ("55", "203", "8262", "3535"):
        assert lines(Page().write(number, gap=gap), classifier) == [number], (number, gap)


def test_ruled_lines_are_left_out(classifier):
    page = Page(600, 220).rule(30, 75, 120, 165, 210).write("25803", top=70)
    assert lines(page, classifier) == ["25803"]


def test_dots_and_dashes_are_left_out(classifier):
    page = Page(700, 200).write("12", top=60).dot(150, 112).write("03", left=180)
    page.line([(310, 92), (340, 92)]).write("2026", left=370)
    rows = read(page.pixels.astype(np.float32), classifier)
    assert [text_of(row) for row in rows] == ["12032026"]
    assert len(rows[0]) == 8


def test_a_letter_among_digits_is_listed_and_not_read(classifier):
    page = Page(700, 200).write("47", top=60)
    left = page.boxes[-1][0] + 90
    page.line([(left, 120), (left + 22, 60), (left + 44, 120)]).line([(left + 10, 98), (left + 34, 98)])
    page.write("302", left=left + 80)
    (row,) = read(page.pixels.astype(np.float32), classifier)
    assert text_of(row) == "47302"
    assert [one.prediction.accepted for one in row] == [True, True, False, True, True, True]


def test_what_the_edge_cuts_is_left_out(classifier):
    page = Page(420, 200).write("2805", left=60)
    page.put(3, 0, 60)
    page.pixels[:, :24] = page.pixels[:, 14:38].copy()
    page.pixels[:, 24:58] = 255
    assert lines(page, classifier) == ["2805"]


def test_digits_in_a_frame_are_read_without_it(classifier):
    page = Page(500, 220).write("1948", left=80, top=80)
    page.line([(30, 30), (460, 30), (460, 190), (30, 190), (30, 30)], width=4)
    assert lines(page, classifier) == ["1948"]


def test_a_fives_hat_and_a_broken_stroke_belong_to_their_digit(classifier):
    page = Page().write("7583")
    for left, top, wide, high in page.boxes[1:3]:  # a gap across the digit
        page.pixels[top + high // 5 : top + high // 5 + 4, left : left + wide] = 255
    rows = read(page.pixels.astype(np.float32), classifier)
    assert [text_of(row) for row in rows] == ["7583"]


def test_a_picture_of_one_digit_is_a_number_of_one(classifier):
    for digit in range(10):
        grey = np.asarray(draw_digit(digit), np.float32)
        assert [text_of(row) for row in read(grey, classifier)] == [str(digit)]


def test_a_picture_ready_for_the_network_is_one_digit(classifier):
    from service.preprocessing import MNIST_GEOMETRY, preprocess_grey

    pixels = preprocess_grey(np.asarray(draw_digit(5), np.float32), MNIST_GEOMETRY)
    grey = np.rint(255 * pixels).reshape(28, 28).astype(np.float32)
    ((digit,),) = read(grey, classifier)
    assert (digit.prediction.digit, digit.prediction.accepted) == (5, True)
    left, top, width, height = digit.box
    assert grey[top : top + height, left : left + width].sum() == grey.sum()


def test_a_page_of_a_hundred_digits_is_read(classifier):
    page = Page(900, 860)
    rows = ["".join(str((3 * row + 7 * column) % 10) for column in range(10)) for row in range(10)]
    for number, row in enumerate(rows):
        page.write(row, left=20, top=20 + 82 * number, height=56, gap=30)
    assert lines(page, classifier) == rows


def test_at_most_so_many_digits_are_read(classifier):
    page = Page(1000, 1000)
    for row in range(20):
        for column in range(20):
            page.put(1 + (row + column) % 8, 10 + 49 * column, 10 + 49 * row, 30)
    digits = [one for row in read(page.pixels.astype(np.float32), classifier) for one in row]
    assert len(digits) == MOST_DIGITS


def test_a_blank_page_is_an_error(classifier):
    with pytest.raises(BlankImageError):
        read(np.full((200, 300), 255, np.float32), classifier)


def test_a_page_with_no_digit_has_no_text(classifier):
    page = Page().line([(40, 40), (560, 160)], width=3)
    assert "".join(lines(page, classifier)) == ""


def test_the_same_page_gets_the_same_answer(classifier):
    page = Page().write("20345", gap=-2).pixels.astype(np.float32)
    assert read(page, classifier) == read(page, classifier)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (9, 400), (500, 9)])
def test_pages_of_odd_shapes_hold_no_surprise(classifier, shape):
    rng = np.random.default_rng(0)
    for grey in (rng.uniform(0, 255, shape), np.where(rng.random(shape) < 0.1, 0.0, 255.0)):
        try:
            rows = read(grey.astype(np.float32), classifier)
        except BlankImageError:
            continue
        for one in (one for row in rows for one in row):
            left, top, width, height = one.box
            assert 0 <= left < left + width <= shape[1]
            assert 0 <= top < top + height <= shape[0]


def test_the_small_model_reads_numbers_too():
    small = Classifier(load(Path(MODELS) / "digits-8x8.npz"), "digits-8x8")
    assert lines(Page().write("1275"), small) == ["1275"]
