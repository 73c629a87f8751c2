"""The pictures of the page in the README, and contact sheets of its states to look at.

    python -m tests.browser.screenshots tests/browser/pictures

real service -> Chromium -> page-light.png, page-dark.png, page-phone.png
                         -> states-SCREEN.png: a row for each state; light, dark, forced colors side by side
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, Route, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.hand import RECORDED, expect_digit, play, settled_state, upload
from tests.browser.test_page import PHONE
from tests.drawing import digit_png
from tests.serving import running_service

DESKTOP = {"viewport": {"width": 1120, "height": 735}}  # down to the answer's end
PICTURES = {
    "page-light.png": (3, DESKTOP),
    "page-dark.png": (8, DESKTOP | {"color_scheme": "dark"}),
    "page-phone.png": (5, PHONE | {"device_scale_factor": 2, "viewport": {"width": 390, "height": 970}}),
}
TOUCH = {"is_mobile": True, "has_touch": True}
SCREENS = {
    "desktop": {"viewport": {"width": 1440, "height": 900}},
    "tablet": {"viewport": {"width": 1024, "height": 768}},
    "phone": TOUCH | {"viewport": {"width": 390, "height": 844}},
    "phone-on-its-side": TOUCH | {"viewport": {"width": 844, "height": 390}},
    "zoom-200": {"viewport": {"width": 720, "height": 450}, "device_scale_factor": 2},
}
LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced colors": {"color_scheme": "dark", "forced_colors": "active"},
}
WIDE, NARROW = 300, 200  # pixels across, on the contact sheets
COLORS = 96


def strokes(digit: int) -> list[list[list[int]]]:
    """Return the first recorded way to write a digit."""
    return next(each["strokes"] for each in RECORDED if each["digit"] == digit)


def answered(page: Page, digit: int = 7) -> None:
    """Draw a digit and wait for the answer."""
    play(page, strokes(digit))
    settled_state(page)
    page.wait_for_timeout(200)


def writing(page: Page) -> None:
    """Draw half a digit and leave the pen down."""
    box = page.locator("#canvas").bounding_box()
    points = [
        (box["x"] + box["width"] * x / 1000, box["y"] + box["height"] * y / 1000) for x, y, _ in strokes(2)[0]
    ]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[: len(points) * 2 // 3]:
        page.mouse.move(*point)
    page.wait_for_timeout(300)


def as_sure_as(confidence: float, **members: object) -> Callable[[Page], None]:
    """Return what draws a 7 whose answer has this confidence, the rest going to the 1."""

    def act(page: Page) -> None:
        def answer(route: Route) -> None:
            body = route.fetch().json()
            shares = [0, 1 - confidence, *[0] * 5, confidence, 0, 0]
            route.fulfill(json=body | {"probabilities": shares, "confidence": confidence} | members)

        page.route("**/predict*", answer)
        answered(page)
        page.unroute_all(behavior="wait")

    return act


def refused(status: int, kind: str) -> Callable[[Page], None]:
    """Return what draws a digit that is answered with a problem."""

    def act(page: Page) -> None:
        problem = {"type": f"/problems/{kind}", "status": status}
        page.route("**/predict*", lambda route: route.fulfill(status=status, json=problem))
        answered(page)

    return act


def offline(page: Page) -> None:
    """Draw while the service is gone."""
    page.route("**/predict*", lambda route: route.abort())
    answered(page)


def reading(page: Page) -> None:
    """Draw over a network that does not answer."""
    page.route("**/predict*", lambda route: None)  # never
    play(page, strokes(7))
    page.wait_for_timeout(400)


def letter(page: Page) -> None:
    """Replay the letter among the examples."""
    page.locator("#examples button").last.dispatch_event("click")
    page.wait_for_timeout(2500)


def compared(page: Page) -> None:
    """Have two models answer."""
    page.locator("#other").select_option("digits-8x8")
    answered(page, 9)


def laid(page: Page) -> None:
    """Lay a picture on the sheet."""
    upload(page, digit_png(6))
    expect_digit(page, 6)


def past(page: Page) -> None:
    """Draw three digits one after the other, and look at them."""
    for digit in (2, 5, 4):
        answered(page, digit)
        if digit != 4:
            page.locator("#clear").click()
    page.locator("#past").evaluate("node => node.scrollIntoView({ block: 'center' })")


STATES: dict[str, Callable[[Page], object]] = {
    "empty": lambda page: page.locator("#examples svg").first.wait_for(),
    "writing": writing,
    "reading": reading,
    "sure": answered,
    "probable": as_sure_as(0.841),
    "one of two": as_sure_as(0.638),
    "several digits": as_sure_as(0.9, accepted=False, reason="several_digits"),
    "not a digit": letter,
    "two models": compared,
    "a picture": laid,
    "past drawings": past,
    "nothing to read": refused(422, "blank-image"),
    "too large": refused(413, "too-many-pixels"),
    "locked": refused(401, "unauthorized"),
    "offline": offline,
}


def open_page(browser: Browser, url: str, options: dict) -> Page:
    """Return the page, ready, in a context of its own."""
    page = browser.new_context(**options, reduced_motion="reduce").new_page()
    page.goto(url)
    page.locator("#about", has_text="version").wait_for()
    return page


def contact_sheet(browser: Browser, url: str, screen: dict) -> Image.Image:
    """Return all states on one screen: a row for each, a column for each look."""
    width, height = screen["viewport"]["width"], screen["viewport"]["height"]
    across = NARROW if height > width else WIDE
    cell = (across, round(across * height / width))
    sheet = Image.new("RGB", ((cell[0] + 6) * len(LOOKS), (cell[1] + 20) * len(STATES)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (name, act) in enumerate(STATES.items()):
        for column, (look, options) in enumerate(LOOKS.items()):
            page = open_page(browser, url, screen | options)
            act(page)
            shot = Image.open(io.BytesIO(page.screenshot()))
            page.context.close()
            x, y = (cell[0] + 6) * column, (cell[1] + 20) * index
            draw.text((x + 2, y + 4), f"{name}, {look}", fill="black")
            sheet.paste(shot.convert("RGB").resize(cell, Image.Resampling.LANCZOS), (x, y + 18))
    return sheet.quantize(COLORS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def main(folder: Path) -> None:
    """Write the pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as logs,
        running_service(Path(logs)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS.split())
        for name, (digit, options) in PICTURES.items():
            page = open_page(browser, server.url, options)
            play(page, strokes(digit))
            expect_digit(page, digit)
            page.locator("#announcement", has_text=str(digit)).wait_for(state="attached")
            page.screenshot(path=folder / name)
            page.context.close()
        for name, screen in SCREENS.items():
            sheet = contact_sheet(browser, server.url, screen)
            sheet.save(folder / f"states-{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
