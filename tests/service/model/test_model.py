"""The shipped models are what their cards say."""

import hashlib
import re

import pytest

from service.model.artifact import load
from service.model.classifier import Classifier
from tests.serving import MODELS

NAMES = ("digits-8x8", "mnist-28x28")


@pytest.mark.parametrize("name", NAMES)
def test_the_checksum_beside_it_is_that_of_the_file(name):
    digest = hashlib.sha256((MODELS / f"{name}.npz").read_bytes()).hexdigest()
    assert (MODELS / f"{name}.npz.sha256").read_text() == f"{digest}  {name}.npz\n"


@pytest.mark.parametrize("name", NAMES)
def test_it_passes_its_own_check(name):
    Classifier(load(MODELS / f"{name}.npz")).self_check()


@pytest.mark.parametrize("name", NAMES)
def test_the_card_quotes_the_file(name):
    artifact = load(MODELS / f"{name}.npz")
    card = (MODELS / f"{name}.md").read_text()
    test = artifact.metadata["metrics"]["test"]
    assert artifact.version in card
    assert re.search(rf"error, % \| {100 - 100 * test['accuracy']:.2f} \|", card)
    assert re.search(rf"macro-F1, % \| {100 * test['macro_f1']:.2f} \|", card)
    assert artifact.metadata["training"]["command"] in card


@pytest.mark.parametrize("name", NAMES)
def test_card_holds_figures_measured_for_this_version(name):
    notes = (MODELS / f"{name}.notes.md").read_text()
    assert f"Of version `{load(MODELS / f'{name}.npz').version}`" in notes
    assert notes.strip() in (MODELS / f"{name}.md").read_text()


@pytest.mark.parametrize(
    ("name", "parameters", "error"), [("digits-8x8", 100_000, 0.03), ("mnist-28x28", 1_350_000, 0.006)]
)
def test_it_is_small_and_accurate_enough_to_ship(name, parameters, error):
    artifact = load(MODELS / f"{name}.npz")
    assert artifact.parameters <= parameters
    assert 1 - artifact.metadata["metrics"]["test"]["accuracy"] <= error


@pytest.mark.parametrize("name", NAMES)
def test_it_names_no_place_of_the_machine_it_was_made_on(name):
    text = (MODELS / f"{name}.md").read_text() + str(load(MODELS / f"{name}.npz").metadata)
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
