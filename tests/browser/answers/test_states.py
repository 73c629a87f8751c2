"""What the page says where there is no plain answer: a dot, a doubt, no digit at all, no key."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.hand import assert_accessible, draw, expect_digit, upload
from tests.drawing import digit_png, draw_digit, encode
from tests.serving import Server, copy_models, running_service
from tests.tiny import tiny_content

KEY = "open-sésame"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that asks for a key, and has a model that is never sure beside the usual ones."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "key").write_text(KEY)
    models = copy_models(folder / "models")
    (models / "cautious.npz").write_bytes(tiny_content(min_confidence=1.0))
    environment = {"DIGITS_API_KEY_FILE": str(folder / "key"), "DIGITS_MODELS_DIR": str(models)}
    with running_service(folder, WEB_CONCURRENCY="1", **environment) as server:
        yield server


@pytest.fixture
def locked_page(browser: Browser, guarded: Server) -> Iterator[Page]:
    """The page of the guarded service, before the key was entered."""
    context = browser.new_context(viewport={"width": 1180, "height": 900})
    page = context.new_page()
    page.goto(guarded.url)
    expect(page.locator("#verdict")).to_have_attribute("data-state", "locked")
    yield page
    context.close()


def unlock(page: Page) -> None:
    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_role("button", name="Use it").click()
    page.locator("#about", has_text="version").wait_for()


def test_a_dot_is_no_question_yet(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    for distance in (0, 5, 30):
        page.mouse.down()
        page.mouse.move(box["x"] + 200 + distance, box["y"] + 200)
        page.mouse.up()
        expect(page.locator("#headline")).to_have_text("Write it larger")
    assert asked == []
    page.locator("#clear").click()
    expect(page.locator("#headline")).to_have_text("What will it be?")


def test_resting_pen_leaves_no_blank_picture(page: Page) -> None:
    box = page.locator("#canvas").bounding_box()
    x, y = box["x"] + 250, box["y"] + 80
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y)
    page.mouse.move(x, y)
    page.mouse.move(x, y + 350)
    expect_digit(page, 1, "writing")


def test_a_digit_may_stand_in_any_corner(page: Page) -> None:
    for left, top in ((0, 0), (0.55, 0), (0, 0.55), (0.55, 0.55)):
        draw(page, 4, left=left, top=top, size=0.45)
        expect_digit(page, 4)
        page.locator("#clear").click()
        expect_digit(page, "?", "empty")


def test_preprocessing_steps_are_listed_beside_the_picture(page: Page, service: Server) -> None:
    expect(page.locator("#steps")).to_be_hidden()
    picture = encode(draw_digit(7, size=(900, 900), ink=255, paper=0), "JPEG")
    upload(page, picture, "photo.jpg", "image/jpeg")
    expect_digit(page, 7)
    steps = service.predict(picture, explain="true").json()["explanation"]["steps"]
    assert len(steps) >= 3
    expect(page.get_by_role("list", name="How it was prepared").get_by_role("listitem")).to_have_text(steps)


def test_nothing_jumps_when_the_answer_comes(page: Page) -> None:
    places = """() => ["canvas", "bars", "why", "undo"].map((id) => {
        const { x, y, width } = document.getElementById(id).getBoundingClientRect();
        return [id, x, y, width];
    })"""
    before = page.evaluate(places)
    upload(page, digit_png(7))
    expect_digit(page, 7)
    assert page.evaluate(places) == before


def test_a_doubt_names_both_digits(locked_page: Page) -> None:
    page = locked_page
    unlock(page)
    page.locator("#model").select_option("cautious")
    expect(page.locator("#about")).to_contain_text("cautious, version")
    upload(page, digit_png(7))
    expect(page.locator("#verdict")).to_have_attribute("data-state", "unsure")
    digit, runner_up = (page.locator(f"#{name}-digit").text_content() for name in ("for", "against"))
    assert digit != runner_up
    words = [("an 8" if each == "8" else f"a {each}") for each in (digit, runner_up)]
    expect(page.locator("#headline")).to_have_text(f"A{words[0][1:]} or {words[1]}?")
    expect(page.locator("#detail")).to_contain_text("%")
    expect(page.locator("#detail")).not_to_contain_text("larger")
    draw(page, 8, left=0.4, top=0.4, size=0.2)  # the pen all but closes its loops
    expect(page.locator("#verdict")).to_have_attribute("data-state", "unsure")
    expect(page.locator("#detail")).to_contain_text("Try writing it larger.")


class TestKey:
    def test_the_key_is_asked_for_and_kept_for_this_tab_alone(self, locked_page: Page) -> None:
        page = locked_page
        expect(page.locator("#headline")).to_have_text("The service asks for a key")
        expect(page.locator("#key")).to_be_focused()
        page.keyboard.type("not the key")
        page.keyboard.press("Backspace")  # clears a letter, not the sheet
        page.keyboard.press("Enter")
        expect(page.locator("#headline")).to_have_text("This is not the key")
        unlock(page)
        expect(page.locator("#key-form")).to_be_hidden()
        draw(page, 7)
        expect_digit(page, 7)
        page.reload()
        page.locator("#about", has_text="version").wait_for()
        kept = page.evaluate(
            "[JSON.stringify({...sessionStorage}), JSON.stringify({...localStorage}), document.cookie]"
        )
        assert json.loads(kept[0]) == {"digits-key": KEY}
        assert kept[1:] == ["{}", ""]
        other = page.context.new_page()
        other.goto(page.url)
        expect(other.locator("#verdict")).to_have_attribute("data-state", "locked")

    def test_a_drawing_waits_for_the_key(self, locked_page: Page) -> None:
        draw(locked_page, 3)
        expect(locked_page.locator("#verdict")).to_have_attribute("data-state", "locked")
        unlock(locked_page)
        expect_digit(locked_page, 3)

    def test_the_curl_line_has_a_place_for_the_key_and_never_the_key(self, locked_page: Page) -> None:
        unlock(locked_page)
        upload(locked_page, digit_png(4), "4.png")
        expect(locked_page.locator("#curl")).to_contain_text(
            "curl -H 'Authorization: Bearer YOUR-KEY' -F file=@4.png"
        )
        assert KEY not in locked_page.content()

    def test_the_reference_needs_no_key_and_shows_where_it_goes(
        self, locked_page: Page, guarded: Server
    ) -> None:
        locked_page.goto(f"{guarded.url}/docs")
        predict = locked_page.locator("#predict")
        expect(predict).to_contain_text("curl -H 'Authorization: Bearer YOUR-KEY' -F file=@digit.png")
        expect(predict).to_contain_text("The request has no key, or a wrong one.")
        expect(locked_page.locator("#livez")).not_to_contain_text("Authorization")


def test_the_page_looks_right_to_axe_while_it_is_locked(locked_page: Page) -> None:
    assert_accessible(locked_page)


def test_a_file_that_the_browser_cannot_show_is_saved_as_it_is(page: Page, tmp_path: Path) -> None:
    tiff = encode(draw_digit(7), "TIFF")
    upload(page, tiff, "scan.tiff", "image/tiff")
    expect_digit(page, 7)
    page.get_by_role("button", name="It is a 7").click()
    with page.expect_download() as download:
        page.locator("#save-corrections").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        (name,) = archive.namelist()
        assert name.startswith("7/")
        assert name.endswith(".tiff")
        assert archive.read(name) == tiff


class TestPhoneOnItsSide:
    @pytest.fixture
    def options(self) -> dict[str, object]:
        return {"viewport": {"width": 740, "height": 360}, "is_mobile": True, "has_touch": True}

    def test_the_whole_sheet_and_the_answer_are_in_sight(self, page: Page) -> None:
        draw(page, 2)
        expect_digit(page, 2)
        for name in ("canvas", "digit", "headline", "clear", "open"):
            expect(page.locator(f"#{name}")).to_be_in_viewport(ratio=1)
