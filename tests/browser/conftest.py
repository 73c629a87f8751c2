"""A real browser: one Chromium for each set of fonts, a fresh page for each test, no error on its console."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.serving import Server

# The first is a browser without windows: a page takes half the processor time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# No graphics card, no sandbox as root, and nothing that would call home.
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


# Letters of different widths; the Debian packages are fonts-dejavu-core and fonts-liberation.
FONTS = {"dejavu": "/usr/share/fonts/truetype/dejavu", "liberation": "/usr/share/fonts/truetype/liberation"}


def find_browser() -> str | None:
    """Return the path of the first browser that is installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def require(found: object, message: str) -> None:
    """Fail if a tool is missing where all tools should be, and skip elsewhere."""
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)


@pytest.fixture(scope="session")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Browser]]:
    """A function that returns the browser which knows only one set of fonts."""
    path = find_browser()
    require(path, "needs Chromium: apt-get install chromium-headless-shell")
    browsers: dict[str, Browser] = {}
    with sync_playwright() as playwright:

        def launch(fonts: str) -> Browser:
            if fonts not in browsers:
                folder = Path(FONTS[fonts])
                require(folder.is_dir(), "needs fonts: apt-get install fonts-dejavu-core fonts-liberation")
                settings = tmp_path_factory.mktemp(fonts) / "fonts.conf"
                settings.write_text(
                    f"<fontconfig><dir>{folder}</dir><cachedir>{settings.parent}</cachedir></fontconfig>"
                )
                browsers[fonts] = playwright.chromium.launch(
                    executable_path=path,
                    args=ARGUMENTS.split(),
                    env=os.environ | {"FONTCONFIG_FILE": str(settings)},
                )
            return browsers[fonts]

        yield launch
        for browser in browsers.values():
            browser.close()


@pytest.fixture
def fonts() -> str:
    """The set of fonts; a test parametrizes it to run with each."""
    return "dejavu"


@pytest.fixture
def browser(launched: Callable[[str], Browser], fonts: str) -> Browser:
    return launched(fonts)


@pytest.fixture
def options() -> dict[str, object]:
    """Options of the browser context; a test parametrizes it for another screen."""
    return {"viewport": {"width": 1180, "height": 900}}


@pytest.fixture
def complaints() -> list[str]:
    """What the console may show; empty except in tests that provoke an error."""
    return []


@pytest.fixture
def page(browser: Browser, service: Server, options: dict, complaints: list[str]) -> Iterator[Page]:
    """A page that fails its test for an error on the console, or a request to another host."""
    context = browser.new_context(**options)
    context.set_default_timeout(10_000)
    page = context.new_page()
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(service.url)
    page.locator("#about", has_text="version").wait_for()
    yield page
    context.close()
    assert [error for error in errors if not any(known in error for known in complaints)] == []
    assert [url for url in requested if not url.startswith(("http://127.0.0.1:", "blob:", "data:"))] == []
