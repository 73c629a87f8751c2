"""The page for every eye, ear and hand: forced colors, contrast, keyboard, screen reader, no JavaScript."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.hand import assert_accessible, draw, expect_digit, upload
from tests.browser.states import STATES
from tests.drawing import digit_png
from tests.serving import Server, free_port, running_service

TOUCH = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
LUMINANCE = """(color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map((each) => each / 255)
        .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}"""


def contrast(page: Page, first: str, second: str) -> float:
    """Return the contrast ratio of two CSS colors, as WCAG 2 defines it."""
    low, high = sorted(page.evaluate(LUMINANCE, each) for each in (first, second))
    return (high + 0.05) / (low + 0.05)


def style(page: Page, selector: str, name: str) -> str:
    return page.locator(selector).first.evaluate("(node, name) => getComputedStyle(node)[name]", name)


class TestForcedColors:
    @pytest.fixture(params=["light", "dark"])
    def options(self, request: pytest.FixtureRequest) -> dict[str, object]:
        return {"forced_colors": "active", "color_scheme": request.param}

    def test_the_bars_are_visible(self, page: Page) -> None:
        draw(page, 7)
        expect_digit(page, 7)
        fill, track = (style(page, f"#bars .best .{name}", "backgroundColor") for name in ("fill", "track"))
        assert contrast(page, fill, track) >= 3
        assert style(page, "#bars .track", "borderTopWidth") == "1px"

    def test_doubt_and_trouble_have_a_mark_of_their_own(self, page: Page) -> None:
        assert style(page, ".words", "borderLeftWidth") == "0px"
        page.locator("#verdict").evaluate("node => { node.dataset.state = 'unsure'; }")
        assert style(page, ".words", "borderLeftWidth") == "4px"

    def test_ink_stands_out_from_the_paper(self, page: Page) -> None:
        draw(page, 1)
        expect_digit(page, 1)
        ink = page.locator("#canvas").evaluate(
            """(canvas) => {
                const { width, height } = canvas;
                const pixels = canvas.getContext("2d").getImageData(0, height / 2, width, 1).data;
                let inked = 0;
                while (pixels[inked + 3] < 255) inked += 4;
                return `rgb(${pixels.slice(inked, inked + 3).join()})`;
            }"""
        )
        assert contrast(page, ink, style(page, "#paper", "backgroundColor")) >= 4.5
        assert_accessible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_outline_of_every_control_reaches_three_to_one(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    ground = style(page, "html", "backgroundColor")
    for selector in ("#open", "#theme", "#model", "#paper"):
        edge = style(page, selector, "borderTopColor")
        assert contrast(page, edge, ground) >= 3, selector
        assert contrast(page, edge, style(page, selector, "backgroundColor")) >= 3, selector


def test_nothing_is_told_by_color_only(page: Page) -> None:
    draw(page, 7)
    expect_digit(page, 7)
    expect(page.locator("figcaption .for")).to_contain_text("Orange")
    expect(page.locator("figcaption .against")).to_contain_text("Blue")


class TestKeyboardHelp:
    @pytest.mark.parametrize("options", [TOUCH], ids=["finger"])
    def test_it_waits_for_a_key_where_fingers_write(self, page: Page) -> None:
        expect(page.locator("#keyboard-help")).to_be_hidden()
        page.keyboard.press("Tab")
        expect(page.locator("#keyboard-help")).to_be_visible()

    @pytest.mark.parametrize("options", [{"viewport": {"width": 480, "height": 800}}], ids=["narrow"])
    def test_it_is_there_in_a_narrow_window_with_a_mouse(self, page: Page) -> None:
        expect(page.locator("#keyboard-help")).to_be_visible()


class TestScreenReader:
    def test_pen_up_and_down_are_said(self, page: Page) -> None:
        page.locator("#canvas").focus()
        page.keyboard.press("Space")
        expect(page.locator("#deed")).to_have_text("Pen down.")
        for _ in range(5):
            page.keyboard.press("Shift+ArrowDown")
        page.keyboard.press("Space")
        expect(page.locator("#deed")).to_have_text("Pen up.")
        page.keyboard.press("Delete")
        expect(page.locator("#deed")).to_have_text("Cleared.")
        page.keyboard.press("Control+z")
        expect(page.locator("#deed")).to_have_text("Undone.")

    def test_the_focus_is_never_lost_to_the_body(self, page: Page) -> None:
        focused = "document.activeElement.id"
        draw(page, 1)
        expect_digit(page, 1)
        for name in ("undo", "redo", "clear", "undo"):
            page.locator(f"#{name}").focus()
            page.keyboard.press("Enter")
            page.wait_for_timeout(100)
            assert page.evaluate(focused) in (name, "canvas")
        draw(page, 1)
        expect(page.locator("#extras")).to_be_visible()
        page.locator("#copy").focus()
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        expect(page.locator("#extras")).to_be_hidden()
        page.wait_for_timeout(100)
        assert page.evaluate(focused) == "canvas"


class TestOffline:
    @pytest.fixture
    def complaints(self) -> list[str]:
        return ["Failed to load resource"]

    def test_it_is_said_once(self, page: Page, tmp_path: Path) -> None:
        port = free_port()
        with running_service(tmp_path, port=port, WEB_CONCURRENCY="1") as server:
            page.goto(server.url)
            page.locator("#about", has_text="version").wait_for()
        page.evaluate(
            """() => {
                window.said = [];
                const note = () => window.said.push(announcement.textContent);
                new MutationObserver(note).observe(announcement, { childList: true });
            }"""
        )
        draw(page, 1)
        expect(page.locator("#verdict")).to_have_attribute("data-state", "offline")
        page.wait_for_timeout(4500)
        assert len(page.evaluate("window.said")) == 1
        assert_accessible(page)


class TestNoFlash:
    @pytest.mark.parametrize(("system", "stored"), [("dark", None), ("light", "dark"), ("dark", "light")])
    def test_the_first_paint_has_the_right_colors(
        self, browser: Browser, service: Server, system: str, stored: str | None
    ) -> None:
        context = browser.new_context(color_scheme=system)
        page = context.new_page()
        page.goto(service.url)
        if stored:
            page.evaluate("theme => localStorage.setItem('theme', theme)", stored)
        page.route("**/page.js", lambda route: None)  # the page's own code is late
        page.goto(service.url, wait_until="commit")
        page.locator("h1").wait_for()
        is_dark = page.evaluate(LUMINANCE, style(page, "html", "backgroundColor")) < 0.1
        assert is_dark == ((stored or system) == "dark")
        context.close()


def test_a_plain_form_works_without_javascript(browser: Browser, service: Server) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(service.url)
    expect(page.locator("#canvas")).to_be_hidden()
    expect(page.locator("#undo")).to_be_hidden()
    seven = {"name": "7.png", "mimeType": "image/png", "buffer": digit_png(7)}
    page.set_input_files("#plain-file", seven)
    page.get_by_role("button", name="Read it").click()
    page.wait_for_url(re.compile("/predict"))
    assert json.loads(page.locator("pre").inner_text())["digit"] == 7
    context.close()


@pytest.mark.parametrize("options", [{"viewport": {"width": 640, "height": 400}}], ids=["200 %"])
def test_a_zoomed_page_keeps_all_it_has(page: Page) -> None:
    upload(page, digit_png(7))
    expect_digit(page, 7)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for name in ("undo", "redo", "clear", "open", "model", "theme"):
        page.locator(f"#{name}").scroll_into_view_if_needed()
        expect(page.locator(f"#{name}")).to_be_in_viewport(ratio=1)
    assert_accessible(page)


class TestEveryState:
    @pytest.fixture
    def complaints(self) -> list[str]:
        return ["Failed to load resource"]

    @pytest.mark.parametrize("state", STATES)
    def test_axe_finds_nothing_in_light_and_dark(self, page: Page, state: str) -> None:
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        STATES[state](page)
        page.wait_for_timeout(200)  # until the bars are still
        assert_accessible(page)
        page.emulate_media(color_scheme="dark")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert_accessible(page)
