"""The network live: tiles for the units of the hidden layers, and the weights of the one pointed at.

The service of these tests is made to send what the page understands; the numbers are invented.
"""

import base64
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.hand import assert_accessible, draw, expect_digit, settled_state
from tests.drawing import encode
from tests.serving import Server

UNITS = (1000, 500)
WEIGHTS = encode(Image.new("RGBA", (28, 28), (255, 122, 26, 128)))


def layer(units: int) -> dict[str, object]:
    values = bytes(max(0, (37 * unit) % 300 - 150) for unit in range(units))
    encoded = base64.b64encode(values).decode()
    return {"units": units, "activation": "relu", "values": encoded, "largest": 5.1}


def add_layers(route: Route) -> None:
    answer = route.fetch(url=route.request.url.replace("explain=layers", "explain=true")).json()
    answer["explanation"]["layers"] = [layer(units) for units in UNITS]
    route.fulfill(json=answer)


@pytest.fixture
def live(browser: Browser, service: Server) -> Iterator[tuple[Page, list[str]]]:
    """A page whose service explains layers, and the addresses of the weights it asked for."""
    context = browser.new_context(viewport={"width": 1180, "height": 900})
    page = context.new_page()
    asked: list[str] = []

    def send_weights(route: Route) -> None:
        asked.append(route.request.url.removeprefix(service.url))
        route.fulfill(body=WEIGHTS, content_type="image/png")

    page.route("**/models", lambda route: route.fulfill(json=route.fetch().json() | {"explain": ["layers"]}))
    page.route("**/predict?*explain=layers", add_layers)
    page.route("**/models/*/units/**", send_weights)
    page.goto(service.url)
    page.locator("#about", has_text="version").wait_for()
    draw(page, 7)
    expect_digit(page, 7)
    settled_state(page)
    yield page, asked
    page.unroute_all(behavior="wait")
    context.close()


def test_every_unit_has_a_tile_as_bright_as_it_is_active(live: tuple[Page, list[str]]) -> None:
    page, _ = live
    for index, units in enumerate(UNITS):
        canvas = page.locator("#layers canvas").nth(index)
        alphas = canvas.evaluate(
            "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
            ".filter((_, i) => i % 4 === 3)"
        )
        assert bytes(alphas[:units]) == base64.b64decode(layer(units)["values"])
    active = sum(value > 0 for value in base64.b64decode(layer(1000)["values"]))
    caption = page.locator("#layers figcaption").first
    expect(caption).to_have_text(f"Layer 1: {active} of 1000 units are active")
    assert_accessible(page)


def test_pointing_at_a_unit_shows_its_weights(live: tuple[Page, list[str]]) -> None:
    page, asked = live
    expect(page.locator("#weights")).to_be_hidden()
    canvas = page.locator("#layers canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 3)
    expect(page.locator("#weights")).to_be_visible()
    assert asked == ["/models/mnist-28x28/units/1/44"]
    expect(page.locator("#layers figcaption").first).to_contain_text("Layer 1, unit 45:")
    page.mouse.move(box["x"] + 50, box["y"] - 30)
    expect(page.locator("#weights")).to_be_hidden()


def test_arrow_keys_go_from_unit_to_unit(live: tuple[Page, list[str]]) -> None:
    page, asked = live
    page.locator("#layers canvas").nth(1).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#layers figcaption").nth(1)).to_contain_text("Layer 2, unit 34:")
    expect(page.locator("#weights")).to_be_visible()
    assert asked[-1] == "/models/mnist-28x28/units/2/33"


def test_fifteen_hundred_activations_fit_into_a_frame(live: tuple[Page, list[str]]) -> None:
    page, _ = live
    milliseconds = page.evaluate(
        """async (layers) => {
            const { showLayers } = await import("./static/layers.js");
            const started = performance.now();
            for (let i = 0; i < 100; i++) showLayers(layers, "mnist-28x28");
            return (performance.now() - started) / 100;
        }""",
        [layer(units) for units in UNITS],
    )
    assert milliseconds < 8  # half a frame, on a loaded machine


def test_without_layers_there_are_no_tiles(page: Page, service: Server) -> None:
    def leave_out(route: Route) -> None:
        answer = route.fetch().json()
        del answer["explain"]
        route.fulfill(json=answer)

    page.route("**/models", leave_out)
    page.goto(service.url)
    page.locator("#about", has_text="version").wait_for()
    draw(page, 7)
    expect_digit(page, 7)
    expect(page.locator("#network")).to_be_hidden()
    page.unroute_all(behavior="wait")


def test_the_service_sends_its_hidden_layers(page: Page) -> None:
    draw(page, 7)
    expect_digit(page, 7)
    expect(page.locator("#layers canvas")).to_have_count(2)
