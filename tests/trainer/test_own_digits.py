"""The Python of docs/own-digits.md trains, scores and saves a model, and the service serves it."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from sklearn.datasets import load_digits

from service.app import create_app
from service.config import Settings
from service.metrics import Metrics
from service.model.artifact import load
from service.model.classifier import Classifier
from service.preprocessing import preprocess
from service.registry import ModelRegistry
from tests.serving import PROJECT

PAGE = (PROJECT / "docs/own-digits.md").read_text()


def test_python_of_the_page_makes_a_model_that_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    assert "epochs=40, outliers=2000" in code
    code = code.replace("epochs=40, outliers=2000", "epochs=25, outliers=200")  # it is as right, sooner
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "own-digits.md", "exec"), {})
    right = re.fullmatch(r"([\d.]+)% right\n", capsys.readouterr().out)
    assert right
    assert float(right[1]) > 95
    models = ModelRegistry(tmp_path / "models", "mine")
    models.refresh()
    client = create_app(Settings(), models, Metrics()).test_client()
    classifier = Classifier(load(tmp_path / "models/mine.npz"))
    for picture in load_digits().images[:20]:
        file = io.BytesIO()
        large = Image.fromarray((picture * 255 / 16).astype("uint8")).resize((80, 80))
        ImageOps.expand(large, 40).save(file, "PNG")  # with some paper around
        answer = client.post("/predict", data=file.getvalue(), content_type="image/png").get_json()
        pixels = preprocess(file.getvalue(), classifier.artifact.geometry)
        assert answer["model"]["name"] == "mine"
        assert answer["digit"] == classifier.classify(pixels[None])[0].digit
