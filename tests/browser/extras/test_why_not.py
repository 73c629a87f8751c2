"""Why not a 9: a click on a bar compares the answer with that digit."""

from playwright.sync_api import Page, expect

from tests.browser.hand import assert_accessible, draw, expect_digit, settled_state


def test_a_click_on_a_bar_compares_the_answer_with_that_digit(page: Page) -> None:
    nine = page.get_by_role("button", name="Why not a 9?")
    expect(nine).to_be_disabled()
    draw(page, 7)
    expect_digit(page, 7)
    settled_state(page)
    usual = page.locator("#saliency").get_attribute("src")
    places = "() => ['canvas', 'bars', 'extras'].map((id) => document.getElementById(id).offsetTop)"
    before = page.evaluate(places)
    expect(page.get_by_role("button", name="Why not a 7?")).to_be_disabled()
    nine.click()
    expect(page.locator("#against-digit")).to_have_text("9")
    expect(page.locator("#for-digit")).to_have_text("7")
    expect(page.locator("#change")).to_be_visible()
    expect(page.locator("#seen-caption")).to_contain_text("To be a 9: orange added, blue removed")
    assert page.locator("#saliency").get_attribute("src") != usual
    assert page.evaluate(places) == before
    assert_accessible(page)
    nine.click()
    expect(page.locator("#seen-caption")).to_have_text("What it saw")
    expect(page.locator("#change")).to_be_hidden()
    assert page.locator("#saliency").get_attribute("src") == usual


def test_the_next_answer_ends_the_comparison(page: Page) -> None:
    draw(page, 7)
    expect_digit(page, 7)
    page.get_by_role("button", name="Why not a 1?").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Why not a 1?", pressed=True)).to_be_focused()
    page.locator("#clear").click()
    draw(page, 4)
    expect_digit(page, 4)
    expect(page.locator("#seen-caption")).to_have_text("What it saw")
    expect(page.locator(".why-not[aria-pressed=true]")).to_have_count(0)
