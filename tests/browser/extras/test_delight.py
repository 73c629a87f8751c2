"""The page's extras: examples, two models, how an answer came about, earlier drawings."""

import io
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.hand import (
    RECORDED,
    assert_accessible,
    draw,
    expect_digit,
    play,
    play_pen,
    settled_state,
    upload,
)
from tests.drawing import digit_png
from tests.serving import Server


def first_of(digit: int) -> list[list[list[int]]]:
    return next(each["strokes"] for each in RECORDED if each["digit"] == digit)


class TestExamples:
    def test_each_is_replayed_and_read(self, page: Page) -> None:
        expected = ["2", "7", "8", "", None]  # "": a number
        names = page.locator("#examples button")
        expect(names).to_have_count(len(expected) + 1)  # and a photograph
        page.evaluate(
            """() => {
                window.states = new Set();
                const note = () => states.add(verdict.dataset.state);
                new MutationObserver(note).observe(verdict, { attributes: true });
            }"""
        )
        for index, digit in enumerate(expected):
            names.nth(index).click()
            expect(page.locator("#canvas")).to_be_focused()
            if digit:
                expect_digit(page, digit)
            elif digit == "":
                expect_digit(page, "", "number")
                expect(page.locator("#number")).to_have_text("42")
            else:
                expect(page.locator("#verdict")).to_have_attribute("data-state", "stranger")
            assert page.evaluate("states.delete('writing')"), digit  # answered while it was written, too
            page.locator("#clear").click()

    def test_the_photograph_is_laid_and_read(self, page: Page) -> None:
        page.get_by_role("button", name="A photograph: have it read").click()
        expect_digit(page, 5)
        page.locator("#undo").click()
        expect(page.locator("#examples")).to_be_visible()

    def test_a_pen_ends_the_replay(self, page: Page) -> None:
        # The page's own clock stands still while the mouse is on its way, however slow the machine is.
        page.clock.install()
        page.clock.pause_at(page.evaluate("Date.now() + 1000"))
        page.locator("#examples button").first.click()
        page.clock.run_for(150)
        expect(page.locator("#clear")).to_be_enabled()  # something is written already
        draw(page, 1)
        page.clock.resume()
        expect_digit(page, 1)
        page.wait_for_timeout(1200)
        expect_digit(page, 1)

    def test_a_replay_is_one_step_back(self, page: Page) -> None:
        page.locator("#examples button").nth(1).click()
        expect_digit(page, 7)
        page.locator("#undo").click()
        expect_digit(page, "?", "empty")
        expect(page.locator("#examples")).to_be_visible()

    def test_it_stands_still_for_those_who_wish_it(self, page: Page) -> None:
        page.emulate_media(reduced_motion="reduce")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
        page.locator("#examples button").nth(1).click()
        expect_digit(page, 7)
        assert len(asked) == 1, asked  # a replay would have been read while it was written, too


class TestTwoModels:
    def test_both_answers_are_side_by_side(self, page: Page) -> None:
        page.locator("#other").select_option("digits-8x8")
        draw(page, 0)
        expect_digit(page, 0)
        expect(page.locator("#second")).to_have_text(re.compile(r"^They agree\. Small network: a 0, "))
        assert (
            float(page.locator("#bars .best").evaluate("node => node.style.getPropertyValue('--second')"))
            > 0.5
        )
        assert_accessible(page)

    def test_a_difference_is_said(self, page: Page) -> None:
        def differ(route: Route) -> None:
            answer = route.fetch().json()
            route.fulfill(json=answer | {"digit": 1, "confidence": 0.7})

        page.route("**/predict?model=digits-8x8", differ)
        page.locator("#other").select_option("digits-8x8")
        draw(page, 7)
        expect(page.locator("#second")).to_have_text("They differ. Small network: a 1, 70.0 %")
        settled_state(page)
        page.unroute_all(behavior="wait")

    def test_the_other_follows_the_choice(self, page: Page) -> None:
        others = page.locator("#other option")
        expect(others).to_have_text(["Compare with…", "with Small network"])
        page.locator("#model").select_option("digits-8x8")
        expect(others).to_have_text(["Compare with…", "with Large network"])


class TestPast:
    def test_a_drawing_comes_back_from_the_strip(self, page: Page) -> None:
        for digit in (7, 3):
            play(page, first_of(digit))
            expect_digit(page, digit)
            page.locator("#clear").click()
        entries = page.locator("#strip button")
        expect(entries).to_have_text(["3", "7"])
        entries.nth(1).click()
        expect_digit(page, 7)
        expect(entries).to_have_text(["7", "3"])
        page.locator("#undo").click()
        expect_digit(page, "?", "empty")
        assert_accessible(page)

    def test_the_way_to_the_answer_can_be_scrubbed(self, page: Page) -> None:
        page.locator("#examples button").nth(1).click()  # a crossed 7
        expect_digit(page, 7)
        settled_state(page)
        moments = int(page.locator("#moment").get_attribute("max"))
        assert moments >= 2
        assert page.locator("#bands path").count() == 10
        page.locator("#moment").focus()
        page.keyboard.press("Home")
        expect(page.locator("#detail")).to_have_text("This is how it looked then.")
        expect(page.locator("#verdict")).to_have_attribute("data-state", "writing")
        page.locator("#canvas").focus()
        expect_digit(page, 7)

    def test_a_link_carries_the_drawing_and_no_request_does(
        self, page: Page, browser: Browser, service: Server
    ) -> None:
        play(page, first_of(7))
        expect_digit(page, 7)
        page.locator("#link").click()
        page.wait_for_url(re.compile("#d="))
        context = browser.new_context()
        other = context.new_page()
        asked: list[str] = []
        other.on("request", lambda request: asked.append(request.url))
        other.goto(page.url)
        expect_digit(other, 7)
        assert len(page.url) < 300
        assert not any("d=" in url.partition("#")[0] for url in asked)
        context.close()

    def test_a_broken_link_is_an_empty_sheet(self, page: Page, service: Server) -> None:
        for fragment in ("", "AA", "AAD_", "____", "!!", "A" * 40_000):
            page.goto("about:blank")
            page.goto(f"{service.url}/#d={fragment}")
            page.locator("#about", has_text="version").wait_for()
            expect(page.locator("#clear"), fragment[:9]).to_be_disabled()
            expect_digit(page, "?", "empty")

    def test_png_and_svg_hold_what_was_drawn(self, page: Page) -> None:
        play(page, first_of(5))
        expect_digit(page, 5)
        for kind in ("png", "svg"):
            with page.expect_download() as download:
                page.locator(f"#save-{kind}").click()
            content = Path(download.value.path()).read_bytes()
            if kind == "png":
                assert Image.open(io.BytesIO(content)).size == (1024, 1024)
            page.locator("#clear").click()
            upload(page, content, f"digit.{kind}", {"png": "image/png", "svg": "image/svg+xml"}[kind])
            expect_digit(page, 5)
            page.locator("#undo").click()
            page.locator("#undo").click()
            expect_digit(page, 5)

    def test_the_strip_keeps_no_twins(self, page: Page) -> None:
        play_pen(page, first_of(2))
        expect_digit(page, 2)
        page.locator("#clear").click()
        page.locator("#undo").click()
        expect_digit(page, 2)
        expect(page.locator("#strip button")).to_have_count(1)


def test_pictures_leave_the_strip_alone(page: Page) -> None:
    upload(page, digit_png(7))
    expect_digit(page, 7)
    expect(page.locator("#past")).to_be_hidden()
