"""Pictures from phones: scaled down before they are sent, and refused in words that help."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.hand import expect_digit, upload
from tests.drawing import digit_png, draw_digit, encode
from tests.serving import Server, running_service

SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" width="300" height="300">
<rect width="300" height="300" fill="#fff"/>
<path d="M80 60H210L130 250" fill="none" stroke="#000" stroke-width="22"/></svg>"""
FAILED_LOADS = "Failed to load resource"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that takes only small pictures."""
    limits = {"DIGITS_MAX_UPLOAD_BYTES": "60000", "DIGITS_MAX_IMAGE_PIXELS": "300000"}
    with running_service(tmp_path_factory.mktemp("strict"), WEB_CONCURRENCY="1", **limits) as server:
        yield server


@pytest.fixture
def complaints() -> list[str]:
    return [FAILED_LOADS]


def photo(side: int) -> bytes:
    """Return a JPEG as a phone would take it: large, and grainy."""
    image = draw_digit(7, size=(side, side), ink=40, paper=200)
    grain = Image.effect_noise((side // 4, side // 4), 12).resize((side, side))
    return encode(Image.blend(image, grain, 0.08), "JPEG", quality=95)


def test_a_large_photo_is_scaled_down_before_it_is_sent(page: Page) -> None:
    content = photo(5200)  # 27 million pixels: more than the service takes
    with page.expect_request_finished(lambda request: "/predict" in request.url) as asked:
        upload(page, content, "IMG_0042.jpg", "image/jpeg")
    expect_digit(page, 7)
    assert asked.value.sizes()["requestBodySize"] < 1_000_000 < len(content)
    expect(page.locator("#file-name")).to_have_text("IMG_0042.jpg")


def test_a_small_picture_is_sent_as_it_is(page: Page) -> None:
    upload(page, digit_png(4), "4.png")
    expect_digit(page, 4)
    with page.expect_download() as download:
        page.locator("#save").click()
    assert Path(download.value.path()).read_bytes() == digit_png(4)


def test_what_only_the_browser_can_decode_is_encoded_anew(page: Page) -> None:
    upload(page, SVG, "seven.svg", "image/svg+xml")
    expect_digit(page, 7)
    expect(page.locator("#file-name")).to_have_text("seven.png")


def test_a_stricter_service_gets_a_smaller_picture(browser: Browser, strict: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(strict.url)
    page.locator("#about", has_text="version").wait_for()
    upload(page, photo(1200), "photo.jpg", "image/jpeg")
    expect_digit(page, 7)
    page.locator("#undo").click()
    expect_digit(page, "?", "empty")
    context.close()


def test_errors_speak_the_words_of_the_page(page: Page) -> None:
    for content, name, kind, headline, detail in (
        (b"%PDF-1.7", "a.pdf", "application/pdf", "This file cannot be read", "Try a JPEG or PNG picture."),
        (b"", "a.png", "image/png", "This file is empty", "Try choosing it again."),
        (digit_png(3)[:150], "a.png", "image/png", "This picture is damaged", "Try saving it again"),
        (encode(Image.new("L", (90, 90), 255)), "a.png", "image/png", "Nothing to read here", "larger"),
    ):
        upload(page, content, name, kind)
        expect(page.locator("#headline")).to_have_text(headline)
        expect(page.locator("#detail")).to_contain_text(detail)


def test_no_error_speaks_the_language_of_http(page: Page) -> None:
    problem: dict[str, object] = {"type": "about:blank", "title": "Request Entity Too Large"}
    problem["detail"] = "noise of 0"

    def answer(route: Route) -> None:
        route.fulfill(status=problem["status"], json=problem, headers={"Retry-After": "60"})

    page.route("**/predict*", answer)
    for status in (413, 500, 503):
        problem["status"] = status
        upload(page, encode(Image.open(io.BytesIO(digit_png(5)))))
        expect(page.locator("#verdict")).to_have_attribute("data-state", "problem")
        words = page.locator(".words").inner_text()
        assert "Entity" not in words
        assert "noise" not in words
        assert str(status) not in words
        page.locator("#clear").click()
        expect_digit(page, "?", "empty")


class TestCamera:
    def test_there_is_no_camera_where_a_dialog_would_open(self, page: Page) -> None:
        expect(page.locator("#photograph")).to_be_hidden()

    def test_a_phone_offers_its_camera(self, page: Page) -> None:
        # Chromium knows this attribute only on Android, which opens the camera.
        page.add_init_script("Object.defineProperty(HTMLInputElement.prototype, 'capture', { value: '' })")
        page.reload()
        expect(page.locator("#photograph")).to_be_visible()
        with page.expect_file_chooser() as chooser:
            page.locator("#photograph").click()
        assert chooser.value.element.get_attribute("capture") == "environment"
