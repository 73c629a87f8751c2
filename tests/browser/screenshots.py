"""The pictures of the page in the README, and contact sheets of its states to look at.

    python -m tests.browser.screenshots tests/browser/pictures

real service -> Chromium -> page-light.png, page-dark.png, page-phone.png
                         -> states-SCREEN.png: a row for each state; light, dark, forced colors side by side
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.answers.test_page import PHONE
from tests.browser.conftest import ARGUMENTS, find_browser
from tests.browser.hand import expect_digit, play
from tests.browser.states import STATES, strokes
from tests.serving import running_service

DESKTOP = {"viewport": {"width": 1120, "height": 850}}
PICTURES = {
    "page-light.png": (3, DESKTOP),
    "page-dark.png": (8, DESKTOP | {"color_scheme": "dark"}),
    "page-phone.png": (5, PHONE | {"device_scale_factor": 2, "viewport": {"width": 390, "height": 1180}}),
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
MARGIN = 12


def open_page(browser: Browser, url: str, options: dict) -> Page:
    """Return the page, ready, in a context of its own."""
    page = browser.new_context(**options, reduced_motion="reduce").new_page()
    page.goto(url)
    page.locator("#about", has_text="version").wait_for()
    return page


def answer_and_above(page: Page) -> dict[str, float]:
    """Return the part of the page that ends below the answer, with a margin."""
    bottom = page.locator("#why").evaluate("node => node.getBoundingClientRect().bottom + scrollY")
    return {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": bottom + MARGIN}


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
        browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS.split())
        for name, (digit, options) in PICTURES.items():
            page = open_page(browser, server.url, options)
            play(page, strokes(digit))
            expect_digit(page, digit)
            page.locator("#announcement", has_text=str(digit)).wait_for(state="attached")
            page.screenshot(path=folder / name, clip=answer_and_above(page))  # a full page is no phone's
            page.context.close()
        for name, screen in SCREENS.items():
            sheet = contact_sheet(browser, server.url, screen)
            sheet.save(folder / f"states-{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
