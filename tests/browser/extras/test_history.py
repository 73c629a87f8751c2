"""Work is never lost: strokes, pictures and Clear can be taken back and made again."""

from playwright.sync_api import Page, expect

from tests.browser.hand import draw, expect_digit, give, settled_state, upload
from tests.drawing import digit_png


def seen(page: Page) -> str | None:
    settled_state(page)
    return page.locator("#seen").get_attribute("src")


def test_a_picture_a_stroke_and_clear_are_steps(page: Page) -> None:
    draw(page, 7)
    expect_digit(page, 7)
    written = seen(page)
    give(page, "drop", digit_png(3))
    expect_digit(page, 3)
    page.locator("#clear").click()
    expect_digit(page, "?", "empty")
    page.locator("#undo").click()
    expect_digit(page, 3)
    page.locator("#undo").click()
    expect_digit(page, 7)
    assert seen(page) == written
    page.locator("#redo").click()
    expect_digit(page, 3)
    page.locator("#redo").click()
    expect_digit(page, "?", "empty")
    expect(page.locator("#redo")).to_be_disabled()


def test_writing_on_a_picture_can_be_taken_back(page: Page) -> None:
    upload(page, digit_png(5))
    expect_digit(page, 5)
    draw(page, 1)
    expect_digit(page, 1)
    page.keyboard.press("Control+z")
    expect_digit(page, 5)
    page.keyboard.press("Control+Shift+z")
    expect_digit(page, 1)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+y")
    expect_digit(page, 1)


def test_a_new_stroke_ends_what_could_be_made_again(page: Page) -> None:
    draw(page, 1)
    page.locator("#undo").click()
    expect(page.locator("#redo")).to_be_enabled()
    draw(page, 7)
    expect_digit(page, 7)
    expect(page.locator("#redo")).to_be_disabled()


def test_delete_clears_only_while_the_sheet_has_focus(page: Page) -> None:
    draw(page, 7)
    expect_digit(page, 7)
    page.locator("#theme").focus()
    page.keyboard.press("Delete")
    page.keyboard.press("Backspace")
    page.wait_for_timeout(100)
    expect_digit(page, 7)
    page.locator("#canvas").focus()
    page.keyboard.press("Delete")
    expect_digit(page, "?", "empty")


def test_undo_while_the_pen_is_down_takes_that_stroke_back(page: Page) -> None:
    draw(page, 7)
    expect_digit(page, 7)
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 400)
    page.keyboard.press("Control+z")
    page.mouse.up()
    expect_digit(page, 7)
    expect(page.locator("#redo")).to_be_enabled()
