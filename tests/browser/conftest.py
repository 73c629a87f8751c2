"""A real browser: one Chromium for all tests, a fresh page for each, no error on its console."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.serving import Server

# No graphics card, no sandbox as root, and nothing that would call home.
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not path:
        message = "needs Chromium: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS.split())
        yield chromium
        chromium.close()


@pytest.fixture
def options() -> dict[str, object]:
    """Options of the browser context; a test parametrises it for another screen."""
    return {"viewport": {"width": 1180, "height": 900}}


@pytest.fixture
def complaints() -> list[str]:
    """What the console may show; empty but for tests that provoke an error."""
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
