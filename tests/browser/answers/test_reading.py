"""Several digits on a sheet: all are read, framed, and there to copy; the rest is faded."""

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.browser.hand import assert_accessible, draw, expect_digit, upload
from tests.drawing import digit_png, encode
from tests.service.reading.pages import Page


def number(text: str) -> bytes:
    """Return a page with a number and a dash below it."""
    page = Page(120 + 75 * len(text), 220).write(text, 50, 60)
    return encode(page.line([(60, 190), (110, 190)]).image())


def test_a_number_is_shown_with_a_frame_around_each_digit(page: Tab) -> None:
    upload(page, number("4071"))
    expect(page.locator("#number")).to_have_text("4071")
    expect(page.locator("#headline")).to_have_text("It reads")
    expect(page.locator("#detail")).to_contain_text("4 digits")
    expect(page.locator("#boxes .frame")).to_have_count(4)
    expect(page.locator("#boxes .veil")).to_be_visible()
    for part in ("#seen", "#bars"):  # all of them as if they were one digit
        expect(page.locator(part)).to_be_hidden()
    expect(page.locator("#curl")).to_contain_text("/read?model=")
    paper, frames = page.locator("#paper").bounding_box(), page.locator("#boxes .frame")
    lefts = [frames.nth(each).bounding_box()["x"] for each in range(4)]
    assert lefts == sorted(lefts)
    assert paper["x"] < lefts[0] < paper["x"] + 0.3 * paper["width"]
    assert_accessible(page)


def test_two_digits_drawn_beside_each_other_are_both_read(page: Tab) -> None:
    draw(page, 4, left=0.05, top=0.25, size=0.4)
    draw(page, 2, left=0.52, top=0.25, size=0.4)
    expect(page.locator("#number")).to_have_text("42")
    expect(page.locator("#boxes .frame")).to_have_count(2)


def test_the_number_can_be_copied(page: Tab) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    upload(page, number("2718"))
    page.locator("#copy-number").click()
    expect(page.locator("#copy-number")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "2718"


def test_frames_and_number_go_when_the_sheet_changes(page: Tab) -> None:
    upload(page, number("306"))
    expect(page.locator("#boxes")).to_be_visible()
    upload(page, digit_png(7))
    expect_digit(page, 7)
    expect(page.locator("#boxes")).to_be_hidden()
    expect(page.locator("#number-row")).to_be_hidden()
    page.locator("#undo").click()
    expect(page.locator("#number")).to_have_text("306")
    expect(page.locator("#boxes .frame")).to_have_count(3)


def test_a_page_of_several_lines_keeps_its_lines(page: Tab) -> None:
    sheet = Page(500, 300).write("2718", 40, 40).write("3141", 40, 180)
    upload(page, encode(sheet.image()))
    expect(page.locator("#number")).to_have_text("2718\n3141")
    expect(page.locator("#detail")).to_contain_text("8 digits in 2 lines")


@pytest.mark.parametrize("options", [{"viewport": {"width": 390, "height": 844}}])
def test_a_long_number_does_not_widen_a_phone(page: Tab, options: dict) -> None:
    upload(page, number("27182818"))
    expect(page.locator("#number")).to_have_text("27182818")
    assert page.evaluate("document.documentElement.scrollWidth") <= options["viewport"]["width"]
