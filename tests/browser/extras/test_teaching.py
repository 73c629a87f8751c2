"""Teach it: corrections become an archive, the trainer takes it, a new model reads the history again."""

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from service.preprocessing.normalization import MNIST_GEOMETRY
from tests.browser.hand import RECORDED, assert_accessible, draw, expect_digit, play, upload
from tests.drawing import digit_png
from tests.serving import copy_models, running_service
from trainer.cli import main
from trainer.data import load_dataset


def correct(page: Page, digit: int) -> None:
    page.locator("#labels button").nth(digit).click()


def saved(page: Page) -> zipfile.ZipFile:
    """Return the archive that the button saves."""
    with page.expect_download() as download:
        page.locator("#save-corrections").click()
    assert re.fullmatch(r"corrections-\d{17}\.zip", download.value.suggested_filename)
    archive = zipfile.ZipFile(download.value.path())
    assert archive.testzip() is None
    return archive


def test_corrections_become_one_archive_for_the_trainer(page: Page) -> None:
    expect(page.locator("#save-corrections")).to_be_disabled()
    draw(page, 7)
    expect_digit(page, 7)
    correct(page, 2)
    correct(page, 1)  # the last word counts
    expect(page.locator("#corrections")).to_have_text("1 correction: 1")
    page.locator("#clear").click()
    draw(page, 3)
    expect_digit(page, 3)
    expect(page.locator("#labels [aria-pressed=true]")).to_have_count(0)
    correct(page, 8)
    correct(page, 8)  # taken back
    correct(page, 3)
    expect(page.locator("#corrections")).to_have_text("2 corrections: 1, 3")
    page.locator("#undo").click()
    page.locator("#undo").click()
    expect(page.locator("#labels [aria-pressed=true]")).to_have_text("1")
    assert_accessible(page)
    with saved(page) as archive:
        names = archive.namelist()
        picture = Image.open(io.BytesIO(archive.read(names[0])))
    assert [name.split("/")[0] for name in names] == ["1", "3"]
    assert picture.size == (280, 280)
    assert picture.convert("L").getextrema() == (0, 255)


def test_the_trainer_reads_what_corrections_saved(page: Page, tmp_path: Path) -> None:
    for digit in range(10):
        upload(page, digit_png(digit))
        expect(page.locator("#digit")).to_have_text(str(digit))
        correct(page, digit)
    with saved(page) as archive:
        archive.extractall(tmp_path / "mine")
    dataset = load_dataset("folder", tmp_path / "mine", MNIST_GEOMETRY)
    assert sorted([*dataset.train.labels, *dataset.test.labels]) == list(range(10))
    quick = ["--recipe", "own-digits", "--epochs", "1", "--outliers", "200", "--no-publish", "--quiet"]
    runs = ["--runs", str(tmp_path / "runs")]
    assert main(["train", "folder", "--data", str(tmp_path / "mine"), *quick, *runs]) == 0


def test_a_correction_can_be_made_by_keyboard(page: Page) -> None:
    draw(page, 7)
    expect(page.locator("#extras")).to_be_visible()
    page.locator("#save-png").focus()
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "1":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#corrections")).to_have_text("1 correction: 1")
    expect(page.locator("#deed")).to_have_text("Kept as a 1.")
    for _ in range(8):
        page.keyboard.press("Tab")
    with page.expect_download():
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")


@pytest.fixture
def own_models(browser: Browser, tmp_path: Path) -> Iterator[tuple[Page, Path]]:
    """The page of a service to whose models a test may add, and their folder."""
    models = copy_models(tmp_path / "models")
    settings = {"DIGITS_MODELS_DIR": str(models), "DIGITS_RELOAD_SECONDS": "0.2", "WEB_CONCURRENCY": "1"}
    with running_service(tmp_path, **settings) as server:
        page = browser.new_context(viewport={"width": 1180, "height": 900}).new_page()
        page.goto(server.url)
        page.locator("#about", has_text="version").wait_for()
        yield page, models
        page.context.close()


def test_a_new_model_reads_the_history_again(own_models: tuple[Page, Path], quick_model: Path) -> None:
    page, models = own_models
    for digit in (7, 4):
        play(page, next(each["strokes"] for each in RECORDED if each["digit"] == digit))
        expect_digit(page, digit)
        expect(page.locator("#strip button").first).to_have_text(str(digit))
        correct(page, digit)
        page.locator("#clear").click()
    page.locator("#undo").click()
    expect_digit(page, 4)
    saved(page).close()
    (models / "mine.npz").write_bytes(quick_model.read_bytes())
    judged = page.locator("#judged")
    pattern = r"mine read 2 drawings again: (none|1|2) changed; ([012]) of 2 corrections right\."
    expect(judged).to_have_text(re.compile(pattern), timeout=30_000)
    changed, right = re.fullmatch(pattern, judged.text_content()).groups()
    both = [text for text in page.locator("#strip button").all_text_contents() if "→" in text]
    assert len(both) == (0 if changed == "none" else int(changed)) == 2 - int(right)
    expect(page.locator("#model option")).to_have_text(["Small network", "mine", "Large network"])
    page.locator("#model").select_option("digits-8x8")
    expect(judged).to_contain_text("Small network read 2 drawings again")
