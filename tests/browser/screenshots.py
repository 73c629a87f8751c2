"""The pictures of the page in the README.

    python -m tests.browser.screenshots tests/browser/pictures

real service -> Chromium -> page-light.png, page-dark.png, page-phone.png
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.hand import RECORDED, expect_digit, play
from tests.browser.test_page import PHONE
from tests.serving import running_service

DESKTOP = {"viewport": {"width": 1120, "height": 735}}  # down to the answer's end
PICTURES = {
    "page-light.png": (3, DESKTOP),
    "page-dark.png": (8, DESKTOP | {"color_scheme": "dark"}),
    "page-phone.png": (5, PHONE | {"device_scale_factor": 2}),
}


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
            page = browser.new_context(**options, reduced_motion="reduce").new_page()
            page.goto(server.url)
            page.locator("#about", has_text="version").wait_for()
            play(page, next(each["strokes"] for each in RECORDED if each["digit"] == digit))
            expect_digit(page, digit)
            page.locator("#announcement", has_text=str(digit)).wait_for(state="attached")
            page.screenshot(path=folder / name)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
