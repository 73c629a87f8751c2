"""Live answers on near and far networks: none is aborted, and the last one counts."""

import itertools
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.delay import delayed
from tests.browser.hand import RECORDED, draw, expect_digit, play, settled_state
from tests.serving import Server

PACE = 5  # times the recorded one: the hand of someone who watches
ROUND_TRIPS = [50, 200, 400]
KINDS = ["mouse", "touch", "pen"]
# Draws at the pace of a hand and returns when the pen was lifted for the last time.
WRITE = """async ([strokes, pace]) => {
    const canvas = document.getElementById("canvas");
    const box = canvas.getBoundingClientRect();
    const started = performance.now();
    const pen = (kind, [x, y]) => canvas.dispatchEvent(new PointerEvent(kind, { pointerId: 1, bubbles: true,
        clientX: box.x + box.width * x / 1000, clientY: box.y + box.height * y / 1000 }));
    for (const stroke of strokes) {
        pen("pointerdown", stroke[0]);
        for (const point of stroke) {
            const wait = started + pace * point[2] - performance.now();
            if (wait > 0) await new Promise((done) => setTimeout(done, wait));
            pen("pointermove", point);
        }
        pen("pointerup", stroke.at(-1));
    }
    window.lifted = performance.now();
}"""
WATCH = """() => {
    window.seen = [];
    const note = () => window.seen.push({ at: performance.now(), state: verdict.dataset.state,
        digit: digit.textContent, headline: headline.textContent, time: time.textContent });
    const everything = { subtree: true, childList: true, attributes: true, characterData: true };
    new MutationObserver(note).observe(verdict.parentElement, everything);
    HTMLCanvasElement.prototype.setPointerCapture = () => {}; // no such pointer, says the browser
}"""


class Traffic:
    """The questions of a page: how many were out at once, came back, or were aborted."""

    def __init__(self, page: Page) -> None:
        self.asked = self.answered = self.aborted = self.most = 0
        page.on("request", self._ask)
        page.on("requestfinished", lambda request: self._end(request, "answered"))
        page.on("requestfailed", lambda request: self._end(request, "aborted"))

    @property
    def in_flight(self) -> int:
        return self.asked - self.answered - self.aborted

    def _ask(self, request: Request) -> None:
        if "/predict" in request.url:
            self.asked += 1
            self.most = max(self.most, self.in_flight)

    def _end(self, request: Request, how: str) -> None:
        if "/predict" in request.url:
            setattr(self, how, getattr(self, how) + 1)


@pytest.fixture(params=ROUND_TRIPS, ids="{} ms".format)
def far(page: Page, service: Server, request: pytest.FixtureRequest) -> Iterator[tuple[Page, int]]:
    """The page over a network with this round trip, and the round trip."""
    with delayed(service.port, request.param) as url:
        page.goto(url)
        page.locator("#about", has_text="version").wait_for()
        page.evaluate(WATCH)
        yield page, request.param
        page.goto("about:blank")


def test_live_answers_come_at_any_distance(far: tuple[Page, int]) -> None:
    page, round_trip = far
    traffic = Traffic(page)
    three = next(each for each in RECORDED if each["digit"] == 3)
    page.evaluate(WRITE, [three["strokes"], PACE])
    expect_digit(page, 3)
    assert settled_state(page) == "sure"
    seen, lifted = page.evaluate("[window.seen, window.lifted]")
    live = {
        each["digit"] + each["time"] for each in seen if each["at"] < lifted and each["state"] == "writing"
    }
    enough = {50: 3, 200: 2, 400: 1}
    assert len([each for each in live if each[0].isdigit()]) >= enough[round_trip]
    assert traffic.aborted == 0
    assert traffic.most <= 2  # a live question, and the one at pen up
    assert lifted < next(each["at"] for each in seen if each["state"] == "sure")
    reading = any("Reading…" in (each["time"], each["headline"]) for each in seen)
    assert reading or round_trip < 200


def test_one_question_is_in_flight_while_the_pen_moves(page: Page) -> None:
    traffic = Traffic(page)
    waiting: list[Route] = []
    page.route("**/predict*", lambda route: waiting.append(route))  # noqa: PLW0108 - needs a function
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 250, box["y"] + 60)
    page.mouse.down()
    for step in range(40):
        page.mouse.move(box["x"] + 250, box["y"] + 60 + 9 * step)
        page.wait_for_timeout(10)
    assert traffic.asked == 1
    expect(page.locator("#headline")).to_have_text("Reading…")
    waiting.pop().continue_()
    expect(page.locator("#headline")).to_contain_text("So far: ")
    page.mouse.up()
    deadline = time.monotonic() + 10
    while traffic.asked < 3 and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    assert traffic.asked == 3
    assert traffic.aborted == 0
    last = waiting.pop()
    last.continue_()
    expect_digit(page, 1)
    settled = page.locator("#time").text_content()
    waiting.pop().continue_()  # the live question answers after the last one, too late
    page.wait_for_timeout(200)
    expect_digit(page, 1)
    expect(page.locator("#time")).to_have_text(settled)


def test_every_recorded_hand_is_read_at_pen_up(page: Page) -> None:
    """Each kind of pointer writes a third of them."""
    page.evaluate(WATCH)
    doubts = []
    for recorded, kind in zip(RECORDED, itertools.cycle(KINDS), strict=False):
        write = WRITE.replace("pointerId: 1,", f'pointerId: 1, pointerType: "{kind}",')
        page.evaluate("window.seen = []")
        page.evaluate(write, [recorded["strokes"], 0.2])
        if settled_state(page) != "sure":
            doubts.append(recorded["style"])
        expect(page.locator("#digit")).to_have_text(str(recorded["digit"]))
        seen, lifted = page.evaluate("[window.seen, window.lifted]")
        final = next(each["at"] for each in seen if each["state"] in ("sure", "probable", "unsure"))
        assert lifted < final
        page.locator("#clear").click()
    assert len(doubts) <= 1, doubts  # a 1 with a long flag is nearly a 7


def test_a_verdict_is_given_only_after_pen_up(page: Page) -> None:
    draw(page, 1)
    expect(page.locator("#headline")).to_have_text("It is a 1")
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 110, box["y"] + 100)
    expect(page.locator("#headline")).to_have_text("So far: a 1?")
    page.mouse.up()
    expect(page.locator("#verdict")).not_to_have_attribute("data-state", "writing")


@pytest.mark.parametrize(
    ("shares", "state", "headline", "detail"),
    [
        ((0.97, 0.03), "sure", "It is a 7", "97.0 % sure."),
        ((0.841, 0.1), "probable", "Probably a 7", "84.1 % sure; it could be a 1."),
        ((0.638, 0.301), "unsure", "A 7 or a 1?", "63.8 % for the 7, 30.1 % for the 1."),
    ],
    ids=["sure", "probable", "one of two"],
)
def test_the_words_follow_the_confidence(
    page: Page, shares: tuple[float, float], state: str, headline: str, detail: str
) -> None:
    def answer(route: Route) -> None:
        body = route.fetch().json()
        body["probabilities"] = [0, shares[1], 0, 0, 0, 0, 0, shares[0], 1 - sum(shares), 0]
        route.fulfill(json=body | {"digit": 7, "confidence": shares[0], "accepted": True})

    page.route("**/predict*", answer)
    play(page, next(each["strokes"] for each in RECORDED if each["digit"] == 7))
    expect_digit(page, 7, state)
    expect(page.locator("#headline")).to_have_text(headline)
    expect(page.locator("#detail")).to_have_text(detail)
