"""What a person does on the page (draw, upload, paste), and what the page then shows.

    strokes.json -> play -> the mouse goes where the hand went, point by point
                 -> play_pen -> the same with all points of a stroke in one event, coalesced

strokes.json holds the ten digits in 32 ways of writing them, European 1s and 7s among them: the shapes
set by hand for this project, with the pace of a hand (slow at ends and in bends, a point a frame) and its
tremor. A stroke is a list of [x, y, milliseconds], x and y in thousandths of the sheet.
"""

import base64
import io
import json
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from tests.drawing import STROKES

RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "strokes.json").read_text())


def play(page: Page, strokes: list[list[list[int]]]) -> None:
    """Draw recorded strokes, each of their points one event of the mouse."""
    box = page.locator("#canvas").bounding_box()
    for stroke in strokes:
        points = [
            (box["x"] + box["width"] * x / 1000, box["y"] + box["height"] * y / 1000) for x, y, _ in stroke
        ]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def play_pen(page: Page, strokes: Sequence[list[list[float]]]) -> None:
    """Draw recorded strokes as a fast pen on a busy page does: all points of one come in one event."""
    page.locator("#canvas").evaluate(
        """(canvas, strokes) => {
            const box = canvas.getBoundingClientRect();
            const pen = (kind, [x, y], coalescedEvents = []) => new PointerEvent(kind, {
                pointerId: 1, bubbles: true, coalescedEvents,
                clientX: box.x + box.width * x / 1000, clientY: box.y + box.height * y / 1000 });
            for (const [first, ...points] of strokes) {
                const last = points.at(-1);
                canvas.dispatchEvent(pen("pointerdown", first));
                const between = points.map((point) => pen("pointermove", point));
                canvas.dispatchEvent(pen("pointermove", last, between));
                canvas.dispatchEvent(pen("pointerup", last));
            }
        }""",
        strokes,
    )


def draw(page: Page, digit: int, left: float = 0.18, top: float = 0.15, size: float = 0.67) -> None:
    """Draw in one event for each stroke; left, top, size: of the digit as shares of the sheet.

    A mouse costs ten times the processor time, for its way and the answers meanwhile. Tests of what
    happens on the way use `play`.
    """
    strokes = [
        [[round(1000 * (left + size * x), 3), round(1000 * (top + size * y), 3), 0] for x, y in stroke]
        for stroke in STROKES[digit]
    ]
    play_pen(page, [_dense(stroke) for stroke in strokes])


def _dense(stroke: list[list[float]], apart: float = 40) -> list[list[float]]:
    """Return a stroke with points between its own, none further apart than `apart` thousandths.

    Few and far points would round the corners off.
    """
    dense = stroke[:1]
    for (x, y, _), (to_x, to_y, _) in pairwise(stroke):
        steps = 1 + int(math.dist((x, y), (to_x, to_y)) / apart)
        dense += [[x + (to_x - x) * k / steps, y + (to_y - y) * k / steps, 0] for k in range(1, steps + 1)]
    return dense


def upload(
    page: Page, content: bytes, name: str = "photo.png", kind: str = "image/png", field: str = "file"
) -> None:
    """Choose a file in one of the page's two fields, `file` and `camera`."""
    page.set_input_files(f"#{field}", {"name": name, "mimeType": kind, "buffer": content})


def give(page: Page, how: str, content: bytes) -> None:
    """Dispatch a paste or drop with an image file; a real clipboard belongs to the desktop."""
    page.evaluate(
        """async ([how, url]) => {
            const bytes = Uint8Array.from(atob(url), (each) => each.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "given.png", { type: "image/png" }));
            const data = how === "paste" ? { clipboardData: transfer } : { dataTransfer: transfer };
            const Kind = how === "paste" ? ClipboardEvent : DragEvent;
            document.body.dispatchEvent(new Kind(how, { bubbles: true, cancelable: true, ...data }));
        }""",
        [how, base64.b64encode(content).decode()],
    )


def expect_digit(page: Page, digit: int | str, state: str = "sure") -> None:
    """Wait until the page shows a digit in large, in this state."""
    expect(page.locator("#digit")).to_have_text(str(digit))
    expect(page.locator("#verdict")).to_have_attribute("data-state", state)


def settled_state(page: Page) -> str | None:
    """Return the state of the page once it answers all that was written.

    Answers come while the pen is still down, so the first right one need not be the last.
    """
    expect(page.locator("#verdict")).to_have_attribute("aria-busy", "false")
    return page.locator("#verdict").get_attribute("data-state")


def shown_picture(page: Page) -> Image.Image:
    """Return the picture as the network saw it, from the page."""
    source = page.locator("#seen").get_attribute("src")
    return Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))


def assert_accessible(page: Page) -> None:
    """Demand that axe-core finds nothing."""
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
