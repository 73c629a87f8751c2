"""The files of the page: served with strict headers, and with nothing in them that the headers forbid."""

import gzip
import re

import pytest
import requests

from service.api.page import FOLDER, HEADERS
from service.api.problems import STATUSES
from service.preprocessing import error_name
from tests.drawing import draw_digit, encode
from tests.serving import Server

FILES = sorted(path.name for path in FOLDER.iterdir())
SHELLS = [
    "docs.html",
    "index.html",
    "problem.html",
]
TEXTS = [name for name in FILES if not name.endswith(".jpg")]
PAGES = ["/", "/docs", *(f"/problems/{error_name(error)}" for error in STATUSES)]
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".json": "application/json",
    ".jpg": "image/jpeg",
}
MOST_BYTES = 90_000  # of all files, compressed


@pytest.mark.parametrize("path", [*PAGES, *(f"/static/{name}" for name in FILES if name not in SHELLS)])
def test_every_file_has_its_type_and_the_security_headers(service: Server, path: str) -> None:
    response = requests.get(service.url + path, timeout=30)
    assert response.status_code == 200
    suffix = "." + path.rpartition(".")[2] if "." in path else ".html"
    assert response.headers["Content-Type"] == TYPES[suffix]
    assert response.headers.items() >= HEADERS.items()
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", SHELLS)
def test_pages_are_not_served_as_static_files(service: Server, name: str) -> None:
    response = requests.get(f"{service.url}/static/{name}", timeout=30)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"


def test_the_policy_allows_no_inline_code_and_no_other_host() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy


@pytest.mark.parametrize("name", TEXTS)
def test_files_hold_no_inline_code_and_no_foreign_address(name: str) -> None:
    text = (FOLDER / name).read_text()
    if name.endswith(".html"):
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
        assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
    addresses = re.findall(r"https?://[^\s\"'`]+", text)
    assert [each for each in addresses if each != "http://www.w3.org/2000/svg"] == []


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".html", ".js"))])
def test_every_address_is_relative_to_the_page(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert (
        re.findall(r"""(?:href|src|action)=["']/|fetch\(["'`]/|\bask\(["'`]/|new URL\(["'`]/""", text) == []
    )


def test_the_page_stays_small() -> None:
    total = sum(len(gzip.compress((FOLDER / name).read_bytes())) for name in FILES)
    assert total <= MOST_BYTES


def test_an_unchanged_file_is_not_sent_again(service: Server) -> None:
    first = requests.get(f"{service.url}/static/page.css", timeout=30)
    second = requests.get(first.url, headers={"If-None-Match": first.headers["ETag"]}, timeout=30)
    assert second.status_code == 304
    assert second.content == b""


@pytest.mark.parametrize("name", ["missing.js", "..%2fpage.py", "%2e%2e/page.py", "page.css%00"])
def test_no_other_file_can_be_had(service: Server, name: str) -> None:
    response = requests.get(f"{service.url}/static/{name}", timeout=30)
    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"


def test_the_type_of_an_error_is_the_address_of_its_page(service: Server) -> None:
    blank = requests.post(
        f"{service.url}/predict", files={"file": encode(draw_digit(1, ink=255))}, timeout=30
    ).json()
    page = requests.get(service.url + blank["type"], timeout=30).text
    for part in (blank["title"], "422 Unprocessable", blank["type"], "Write larger or darker"):
        assert part in page
    assert requests.get(f"{service.url}/problems/no-such-problem", timeout=30).status_code == 404


def test_no_page_of_a_problem_has_a_gap(service: Server) -> None:
    for path in PAGES[2:]:
        text = requests.get(service.url + path, timeout=30).text
        assert "$" not in text
        assert path.rpartition("/")[2] in text
