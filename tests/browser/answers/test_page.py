"""The page as a person uses it: pen, finger, keys, files; a good connection and none."""

import json
import subprocess
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, Route, expect

from tests.browser.hand import (
    assert_accessible,
    draw,
    expect_digit,
    give,
    settled_state,
    shown_picture,
    upload,
)
from tests.drawing import digit_png, draw_digit, encode
from tests.serving import Server, free_port, running_service

PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
}
FAILED_LOADS = "Failed to load resource"


def test_the_ten_digits_are_read_one_after_the_other(page: Page) -> None:
    for digit in range(10):
        draw(page, digit)
        expect_digit(page, digit)
        expect(page.locator("#bars li")).to_have_count(10)
        best = page.locator("#bars li.best")
        expect(best).to_have_count(1)
        expect(best.locator(".name")).to_have_text(str(digit))
        page.locator("#clear").click()
        expect_digit(page, "?", "empty")


def test_the_answer_comes_while_the_pen_is_still_down(page: Page) -> None:
    box = page.locator("#canvas").bounding_box()
    x, y, side = box["x"], box["y"], box["width"]
    page.mouse.move(x + side / 2, y + side * 0.15)
    page.mouse.down()
    for step in range(30):
        page.mouse.move(x + side / 2, y + side * (0.15 + 0.02 * step))
    expect_digit(page, 1, "writing")
    expect(page.locator("#headline")).to_have_text("So far: a 1?")
    page.mouse.up()
    expect_digit(page, 1)
    expect(page.locator("#headline")).to_have_text("It is a 1")


def test_the_explanation_shows_what_the_network_saw(page: Page) -> None:
    expect(page.locator("#seen")).to_be_hidden()
    upload(page, digit_png(3))
    expect(page.locator("#seen")).to_be_visible()
    assert shown_picture(page).size == (28, 28)
    expect(page.locator("#for-digit")).to_have_text("3")
    runner_up = page.locator("#against-digit").text_content()
    alt = f"Heat map: orange supports 3, blue {runner_up}"
    expect(page.locator("#saliency")).to_have_attribute("alt", alt)


def test_undo_takes_back_one_stroke_and_clear_all(page: Page) -> None:
    draw(page, 1)
    expect_digit(page, 1)
    settled_state(page)
    alone = page.locator("#seen").get_attribute("src")
    draw(page, 0)
    expect(page.locator("#seen")).not_to_have_attribute("src", alone)
    page.locator("#undo").click()
    expect(page.locator("#seen")).to_have_attribute("src", alone)
    page.keyboard.press("Control+z")
    expect(page.locator("#headline")).to_have_text("What will it be?")
    expect(page.locator("#undo")).to_be_disabled()
    draw(page, 7)
    expect_digit(page, 7)
    page.keyboard.press("Delete")
    expect(page.locator("#headline")).to_have_text("What will it be?")
    expect(page.locator("#extras")).to_be_hidden()


def test_a_picture_can_be_uploaded_photographed_and_pasted(page: Page) -> None:
    upload(page, digit_png(5))
    expect_digit(page, 5)
    upload(page, encode(draw_digit(7), "JPEG"), "photo.jpg", "image/jpeg", "camera")
    expect_digit(page, 7)
    give(page, "paste", digit_png(4))
    expect_digit(page, 4)


def test_a_picture_can_be_dropped_and_drawn_over(page: Page) -> None:
    give(page, "drop", digit_png(6))
    expect_digit(page, 6)
    draw(page, 1)
    expect_digit(page, 1)


def test_the_keyboard_alone_draws_reads_and_clears(page: Page) -> None:
    canvas = page.locator("#canvas")
    for _ in range(5):
        page.keyboard.press("Tab")
        if canvas.evaluate("node => node === document.activeElement"):
            break
    expect(canvas).to_be_focused()
    for key in ["Shift+ArrowUp"] * 4 + ["Space"] + ["Shift+ArrowDown"] * 8 + ["Space"]:
        page.keyboard.press(key)
    expect_digit(page, 1)
    expect(page.locator("#announcement")).to_contain_text("1,")
    page.keyboard.press("Tab")
    expect(page.locator("#undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#headline")).to_have_text("What will it be?")


def test_the_announcement_for_screen_readers_says_the_answer(page: Page) -> None:
    draw(page, 7)
    expect(page.locator("#announcement")).to_have_text("7, over 99.9 % sure")
    assert page.locator("#announcement").get_attribute("aria-live") == "polite"


def test_something_else_than_a_digit_has_a_state_of_its_own(page: Page) -> None:
    cross = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(cross).line((40, 40, 160, 160), fill=0, width=12)
    ImageDraw.Draw(cross).line((160, 40, 40, 160), fill=0, width=12)
    upload(page, encode(cross))
    expect(page.locator("#headline")).to_have_text("This does not look like a digit")
    expect(page.locator("#verdict")).to_have_attribute("data-state", "stranger")
    assert_accessible(page)


class TestProblems:
    @pytest.fixture
    def complaints(self) -> list[str]:
        return [FAILED_LOADS]

    def test_a_file_that_is_no_picture_is_explained(self, page: Page) -> None:
        upload(page, b"%PDF-1.7", "notes.pdf", "application/pdf")
        expect(page.locator("#headline")).to_have_text("This file cannot be read")
        expect(page.locator("#detail")).to_have_text("Try a JPEG or PNG picture.")

    def test_drawing_is_answered_once_the_service_is_back(self, page: Page, tmp_path: Path) -> None:
        port = free_port()
        with running_service(tmp_path, port=port, WEB_CONCURRENCY="1") as server:
            page.goto(server.url)
            page.locator("#about", has_text="version").wait_for()
            draw(page, 7)
            expect_digit(page, 7)
        draw(page, 1)
        expect(page.locator("#verdict")).to_have_attribute("data-state", "offline")
        expect(page.locator("#headline")).to_have_text("The service does not answer")
        page.locator("#undo").click()
        with running_service(tmp_path, port=port, WEB_CONCURRENCY="1"):
            expect_digit(page, 7)


class TestPhone:
    @pytest.fixture
    def options(self) -> dict[str, object]:
        return PHONE

    def test_finger_draws_without_scrolling_the_page(self, page: Page) -> None:
        box = page.locator("#canvas").bounding_box()
        x, top = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.15
        touch = page.context.new_cdp_session(page)

        def finger(kind: str, y: float) -> None:
            points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        finger("touchStart", top)
        for step in range(1, 15):
            finger("touchMove", top + step * box["height"] * 0.05)
        finger("touchEnd", 0)
        expect_digit(page, 1)
        assert page.evaluate("scrollY") == 0
        expect(page.locator("#digit")).to_be_in_viewport(ratio=1)
        expect(page.locator("#headline")).to_be_in_viewport(ratio=1)

    def test_strokes_are_as_fine_as_the_screen(self, page: Page) -> None:
        drawn, shown = page.locator("#canvas").evaluate("canvas => [canvas.width, canvas.clientWidth]")
        assert drawn == pytest.approx(shown * PHONE["device_scale_factor"], abs=1)

    def test_nothing_is_wider_than_the_screen(self, page: Page) -> None:
        upload(page, digit_png(2), "a-very-long-name-" * 9 + ".png")
        expect(page.locator("#extras")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert_accessible(page)


def test_another_model_answers_when_it_is_chosen(page: Page) -> None:
    draw(page, 0)
    expect(page.locator("#time")).to_contain_text("Large network")
    page.locator("#model").select_option("digits-8x8")
    expect(page.locator("#time")).to_contain_text("Small network")
    assert shown_picture(page).size == (8, 8)
    expect(page.locator("#about")).to_contain_text("sees 8 × 8 pixels")


def test_the_curl_line_asks_for_the_picture_and_the_model(
    page: Page, service: Server, tmp_path: Path
) -> None:
    upload(page, digit_png(4), "my digit's.png")
    url = f"'{service.url}/predict?model=mnist-28x28'"
    expect(page.locator("#curl")).to_have_text(f"curl -F 'file=@my digit'\\''s.png' {url}")
    with page.expect_download() as download:
        page.locator("#save").click()
    download.value.save_as(tmp_path / "my digit's.png")
    assert (tmp_path / "my digit's.png").read_bytes() == digit_png(4)
    command = ["sh", "-c", page.locator("#curl").text_content()]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    assert json.loads(answer)["digit"] == 4


def test_the_page_works_below_a_prefix(page: Page, service: Server) -> None:
    asked: list[str] = []

    def strip(route: Route) -> None:
        asked.append(route.request.url)
        route.continue_(url=route.request.url.replace("/digits/", "/", 1))

    page.route("**/*", strip)
    page.goto(f"{service.url}/digits/")
    page.locator("#about", has_text="version").wait_for()
    draw(page, 7)
    expect_digit(page, 7)
    expect(page.locator("#curl")).to_contain_text(f"{service.url}/digits/predict?model=")
    page.get_by_role("link", name="API", exact=True).click()
    page.locator("#predict[open]").wait_for()
    expect(page.locator("#predict")).to_contain_text(f"{service.url}/digits/predict")
    page.get_by_role("link", name="Draw a digit").click()
    page.locator("#about", has_text="version").wait_for()
    assert [url for url in asked if not url.startswith(f"{service.url}/digits/")] == []


def test_light_and_dark_follow_the_system_until_one_is_chosen(page: Page) -> None:
    root = page.locator("html")
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        expect(root).to_have_attribute("data-theme", scheme)
    page.locator("#theme").click()
    expect(root).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-theme", "dark")


def test_an_old_answer_never_overwrites_a_new_one(page: Page) -> None:
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/predict*", hold_the_first)
    upload(page, digit_png(7))
    page.wait_for_timeout(100)
    upload(page, digit_png(4))
    expect_digit(page, 4)
    assert held
    held[0].continue_()
    page.wait_for_timeout(300)
    expect_digit(page, 4)
