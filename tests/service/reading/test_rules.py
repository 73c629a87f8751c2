"""Ruled lines are erased from pages, level or climbing, and strokes stay."""

import numpy as np
import pytest

from service.reading.rules import erase_rules
from tests.service.reading.pages import Page

FAINT = 40.0


def darkness(page: Page) -> np.ndarray:
    """Return how dark each pixel of a page is."""
    return (255 - page.pixels).astype(np.float32)


@pytest.mark.parametrize("climb", [0, 5, -9])
def test_a_line_from_side_to_side_is_erased(climb):
    page = Page(500, 150).line([(0, 70), (500, 70 + climb)], width=2)
    assert darkness(page).max() > FAINT
    assert erase_rules(darkness(page), FAINT).max() <= FAINT


def test_lines_across_digits_leave_the_digits():
    plain = darkness(Page(500, 180).write("2580", 40, 60))
    erased = erase_rules(darkness(Page(500, 180).write("2580", 40, 60).rule(45, 85, 125, 165)), FAINT)
    changed = (erased > FAINT) != (plain > FAINT)
    assert changed.sum() < 0.06 * (plain > FAINT).sum()


def test_upright_lines_of_squared_paper_are_erased():
    page = Page(400, 200)
    page.pixels[:, 40::80] = 150
    page.rule(30, 110)
    crossings = 5 * 2 * 2  # pixels where two lines meet: specks
    assert (erase_rules(darkness(page), FAINT) > FAINT).sum() <= crossings


def test_a_page_without_lines_comes_back_as_it_is():
    for number in ("7777777", "2222", "1111"):
        written = darkness(Page(600, 160).write(number, 40, 50, gap=3))
        assert erase_rules(written, FAINT) is written
