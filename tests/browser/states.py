"""Every state of the page, and what brings it about: for the contact sheets, and for axe."""

from collections.abc import Callable

from playwright.sync_api import Page, Route

from tests.browser.hand import RECORDED, expect_digit, play, settled_state, upload
from tests.drawing import digit_png, encode
from tests.service.reading.pages import Page as Sheet


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
    page.get_by_role("button", name="A letter: watch it being written").dispatch_event("click")
    page.locator("#verdict[data-state=stranger]").wait_for()
    page.wait_for_timeout(200)


def compared(page: Page) -> None:
    """Have two models answer."""
    page.locator("#other").select_option("digits-8x8")
    answered(page, 9)


def laid(page: Page) -> None:
    """Lay a picture on the sheet."""
    upload(page, digit_png(6))
    expect_digit(page, 6)


def why_not(page: Page) -> None:
    """Compare a 7 with a 9."""
    answered(page)
    page.get_by_role("button", name="Why not a 9?").click()
    page.locator("#change").wait_for()


def taught(page: Page) -> None:
    """Correct a digit, and look at what becomes of it."""
    answered(page)
    page.locator("#labels button").nth(1).click()
    page.locator("#extras").evaluate("node => node.scrollIntoView({ block: 'center' })")


def number(page: Page) -> None:
    """Lay a page with several digits on the sheet."""
    sheet = Sheet(520, 300).rule(60, 130, 200, 270).write("2718", 50, 100).dot(330, 150)
    upload(page, encode(sheet.image()))
    page.locator("#boxes .frame").first.wait_for()
    page.wait_for_timeout(200)


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
    "why not a 9": why_not,
    "a number": number,
    "past drawings": past,
    "a correction": taught,
    "nothing to read": refused(422, "blank-image"),
    "too large": refused(413, "too-many-pixels"),
    "locked": refused(401, "unauthorized"),
    "offline": offline,
}
