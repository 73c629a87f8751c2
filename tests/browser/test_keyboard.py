"""A number from the first key to the clipboard: drawn, replayed, said and copied without a mouse."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.hand import assert_accessible

ONE = ["Space"] + ["Shift+ArrowDown"] * 6 + ["Space"]
SEVEN = ["Space"] + ["ArrowRight"] * 9 + ["Shift+ArrowDown", "ArrowLeft"] * 6 + ["Space"]
TO_THE_LEFT = ["Shift+ArrowLeft"] * 3 + ["Shift+ArrowUp"] * 3
TO_THE_RIGHT = ["Shift+ArrowRight"] * 3 + ["Shift+ArrowUp"] * 6


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Page, selector: str) -> None:
    """Go to a control as the keyboard does; the test fails if Tab does not lead there."""
    for _ in range(30):
        if page.locator(selector).evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press("Tab")
    expect(page.locator(selector)).to_be_focused()


def test_a_number_is_drawn_said_and_copied(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab_to(page, "#canvas")
    press(page, *TO_THE_LEFT, *ONE, *TO_THE_RIGHT, *SEVEN)
    expect(page.locator("#number")).to_have_text("17")
    expect(page.locator("#boxes .frame")).to_have_count(2)
    expect(page.locator("#announcement")).to_contain_text("It reads 1 7.")
    expect(page.locator("#canvas")).to_be_focused()
    assert_accessible(page)
    tab_to(page, "#copy-number")
    press(page, "Enter")
    expect(page.locator("#copy-number")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "17"


def test_the_number_among_the_examples_is_replayed_and_read(page: Page) -> None:
    tab_to(page, "#examples button[title='A number']")
    press(page, "Enter")
    expect(page.locator("#canvas")).to_be_focused()
    expect(page.locator("#number")).to_have_text("42")
    expect(page.locator("#boxes .frame")).to_have_count(2)
    press(page, "Control+z")
    expect(page.locator("#number-row")).to_be_hidden()
    expect(page.locator("#examples")).to_be_visible()


@pytest.mark.parametrize("options", [{"viewport": {"width": width, "height": 450}} for width in (390, 720)])
def test_no_example_is_cut_off_on_a_small_sheet(page: Page) -> None:
    examples = page.locator("#examples button")
    examples.last.wait_for()
    bottom = page.locator("#examples").evaluate("node => node.getBoundingClientRect().bottom")
    assert examples.count() == 6
    for each in examples.all():
        box = each.bounding_box()
        assert box["y"] + box["height"] <= bottom + 1
        assert box["width"] >= 24
