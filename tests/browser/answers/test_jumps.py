"""Nothing moves on the page while answers come, in two sets of fonts and on four screens."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FONTS
from tests.browser.hand import RECORDED, expect_digit, play_pen, settled_state, upload
from tests.drawing import digit_png

SCREENS = {
    "desktop": {"viewport": {"width": 1440, "height": 900}},
    "tablet": {"viewport": {"width": 1024, "height": 768}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
    "phone on its side": {"viewport": {"width": 844, "height": 390}, "is_mobile": True, "has_touch": True},
}
PLACES = """() => ["canvas", "undo", "digit", "headline", "detail", "time", "bars"].map((id) => {
    const { x, y, width } = document.getElementById(id).getBoundingClientRect();
    return [id, x, y + scrollY, width];
})"""
# Chromium's own measure of what moves without having been asked to, within the window.
WATCH = """() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
        const sources = list.getEntries().flatMap((entry) => entry.sources);
        for (const { node, previousRect, currentRect } of sources) {
            const name = node?.id || node?.className || node?.nodeName;
            if (previousRect.y !== currentRect.y) window.shifts.push([name, previousRect.y, currentRect.y]);
        }
    }).observe({ type: "layout-shift" });
}"""

pytestmark = pytest.mark.parametrize("fonts", FONTS)


@pytest.fixture(params=SCREENS)
def screen(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def options(screen: str) -> dict[str, object]:
    return SCREENS[screen]


def test_nothing_jumps_in_thirty_two_drawings(page: Page, fonts: str, screen: str) -> None:
    """Each drawing in both sets of fonts, on two of the four screens; eight drawings each."""
    page.wait_for_load_state("networkidle")
    page.evaluate(WATCH)
    before = page.evaluate(PLACES)
    first = (list(SCREENS).index(screen) + 2 * list(FONTS).index(fonts)) % len(SCREENS)
    for recorded in RECORDED[first :: len(SCREENS)]:
        play_pen(page, recorded["strokes"])
        settled_state(page)
        expect(page.locator("#digit")).to_have_text(str(recorded["digit"]))
        assert page.evaluate(PLACES) == before, recorded["style"]
        page.locator("#clear").click()
        assert page.evaluate(PLACES) == before
    shifts = page.evaluate("window.shifts")
    assert [each for each in shifts if each[0] not in ("extras", "FOOTER", "card")] == []


def test_rows_of_the_bars_and_long_names_fit(page: Page) -> None:
    upload(page, digit_png(7))
    expect_digit(page, 7)
    heights = page.locator("#bars .share").evaluate_all("nodes => nodes.map((node) => node.offsetHeight)")
    assert len(set(heights)) == 1
    clipped = page.locator("#bars .share").evaluate_all(
        "nodes => nodes.filter((node) => node.scrollWidth > node.offsetWidth).length"
    )
    assert clipped == 0
    upload(page, digit_png(2), "a_very_long_name_" * 9 + ".png")
    expect_digit(page, 2)
    expect(page.locator("#extras")).to_be_visible()
    # Not innerWidth: a phone widens it to what it shows.
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
