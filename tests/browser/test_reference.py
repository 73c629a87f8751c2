"""/docs: every operation, tried and copied; links that lead to one; pages of problems."""

import json
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.hand import RECORDED, assert_accessible, expect_digit, play
from tests.drawing import digit_png
from tests.serving import Server


def test_the_reference_shows_every_operation(page: Page, service: Server) -> None:
    page.goto(f"{service.url}/docs")
    page.locator("#predict[open]").wait_for()
    described = page.request.get(f"{service.url}/openapi.json").json()["paths"]
    operations = {operation["operationId"] for item in described.values() for operation in item.values()}
    shown = page.locator("details").evaluate_all("nodes => nodes.map((node) => node.id)")
    assert sorted(shown) == sorted(operations)
    expect(page.locator("#predict")).to_contain_text("/problems/blank-image")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert_accessible(page)


def test_the_drawing_of_the_page_is_sent_from_the_reference(page: Page) -> None:
    play(page, next(each["strokes"] for each in RECORDED if each["digit"] == 3))
    expect_digit(page, 3)
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.get_by_role("img", name="Your drawing")).to_be_visible()
    answer = page.locator(".trial pre")
    assert json.loads(answer.text_content())["digit"] == 7  # the recorded one
    page.get_by_role("button", name="Send this drawing").click()
    expect(page.locator(".trial [role=status]")).to_contain_text("200, ")
    assert json.loads(answer.text_content())["digit"] == 3


def test_clients_are_shown_as_they_are_tested_and_can_be_copied(
    page: Page, service: Server, tmp_path: Path
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{service.url}/docs")
    page.get_by_role("button", name="Python", exact=True).click()
    page.get_by_role("button", name="Copy: predict_requests.py").click()
    code = page.evaluate("navigator.clipboard.readText()")
    assert f"python predict_requests.py {service.url} digit.png" in code
    (tmp_path / "client.py").write_text(code)
    (tmp_path / "digit.png").write_bytes(digit_png(4))
    command = [sys.executable, "client.py", service.url, "digit.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "4\n"


def test_an_address_opens_its_operation_and_a_problem_its_page(page: Page, service: Server) -> None:
    page.goto(f"{service.url}/docs#v2Live")
    expect(page.locator("#v2Live[open] summary")).to_be_in_viewport()
    page.goto(f"{service.url}/docs#predictBatch")
    expect(page.locator("#predictBatch[open] summary")).to_be_in_viewport()
    page.locator("#predict summary").scroll_into_view_if_needed()
    page.locator("#predict summary").click()
    page.get_by_role("link", name="/problems/blank-image").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The image has no ink to classify.")
    assert_accessible(page)
    page.get_by_role("link", name="API").click()
    page.locator("#predict[open]").wait_for()
