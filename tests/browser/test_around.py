"""Around the page: below a prefix behind a real nginx, and asked by a page of another host."""

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.browser.hand import RECORDED, expect_digit, play
from tests.drawing import digit_png
from tests.nginx import running_nginx
from tests.serving import Server, running_service

# The first prefix is known to the service and stays in the path; the second one nginx takes off, and names.
LOCATIONS = """
location = /other.html {{ root {folder}; }}
location /digits {{ proxy_pass http://127.0.0.1:{port}; }}
location /a/b/ {{ proxy_pass http://127.0.0.1:{port}/; proxy_set_header X-Forwarded-Prefix /a/b; }}
location / {{ return 418; }}
"""
ASK = """async ([url, picture, json]) => {
  const headers = { "X-Request-Id": "from-elsewhere" };
  const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
  const form = new FormData();
  form.append("file", new Blob([bytes]), "digit.png");
  if (json) headers["Content-Type"] = "application/json";
  const options = { body: json ? JSON.stringify({ image: picture }) : form, headers };
  const response = await fetch(url, { method: "POST", ...options });
  return [(await response.json()).digit, response.headers.get("X-Request-Id")];
}"""


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a nginx in front of a service that knows its prefix and trusts it."""
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "other.html").write_text("<!doctype html><title>Another page</title>")
    settings = {"DIGITS_ROOT_PATH": "/digits", "DIGITS_TRUST_PROXY": "true", "WEB_CONCURRENCY": "1"}
    with contextlib.ExitStack() as running:
        server = running.enter_context(running_service(folder, **settings))
        locations = LOCATIONS.format(folder=folder, port=server.port)
        yield running.enter_context(running_nginx(folder, locations))


@pytest.fixture
def elsewhere(browser: Browser, nginx: str) -> Iterator[Page]:
    """A page that is not the service's."""
    context = browser.new_context()
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("prefix", ["/digits", "/a/b"])
def test_below_a_prefix_the_page_and_its_documents_work(elsewhere: Page, nginx: str, prefix: str) -> None:
    paths: list[str] = []
    errors: list[str] = []
    elsewhere.on("request", lambda request: paths.append(urlsplit(request.url).path))
    elsewhere.on("response", lambda response: errors.append(response.url) if response.status > 308 else None)
    elsewhere.on("pageerror", lambda error: errors.append(str(error)))
    elsewhere.goto(nginx + prefix)
    assert urlsplit(elsewhere.url).path == f"{prefix}/"
    elsewhere.locator("#about", has_text="version").wait_for()
    seven = next(each for each in RECORDED if each["digit"] == 7)
    play(elsewhere, seven["strokes"])
    expect_digit(elsewhere, 7)
    elsewhere.locator("#clear").click()
    elsewhere.get_by_role("button", name="A number: watch it being written").click()
    expect(elsewhere.locator("#number")).to_have_text("42", timeout=20_000)
    assert f"{prefix}/read" in paths
    elsewhere.locator("a[href^='docs']").first.click()
    elsewhere.locator("h3", has_text="Parameters").first.wait_for()
    expect(elsewhere.locator("body")).to_contain_text(f"{nginx}{prefix}/predict")
    assert [path for path in paths if not path.startswith(f"{prefix}/")] in ([], [prefix])
    assert errors == []
    description = requests.get(f"{nginx}{prefix}/openapi.json", timeout=30).json()
    assert description["servers"] == [{"url": prefix}]
    assert requests.get(f"{nginx}{description['servers'][0]['url']}/models", timeout=30).ok


def asked(page: Page, nginx: str, url: str, json: bool = False) -> Any:
    page.goto(f"{nginx}/other.html")
    picture = base64.b64encode(digit_png(7)).decode()
    return page.evaluate(ASK, [f"{url}/predict", picture, json])


def test_a_page_of_an_allowed_origin_asks(elsewhere: Page, nginx: str, tmp_path: Path) -> None:
    with running_service(tmp_path, DIGITS_CORS_ORIGINS=nginx, WEB_CONCURRENCY="1") as server:
        for json in (False, True):
            assert asked(elsewhere, nginx, server.url, json) == [7, "from-elsewhere"]


def test_a_page_of_another_origin_cannot_ask(elsewhere: Page, nginx: str, service: Server) -> None:
    with pytest.raises(Exception, match="Failed to fetch"):
        asked(elsewhere, nginx, service.url)
