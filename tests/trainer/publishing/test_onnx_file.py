"""The ONNX file gives our own answers in ONNX Runtime, for every activation; else none is written."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from service.model.artifact import load
from service.model.classifier import Classifier
from service.model.network import ACTIVATIONS, Layer
from tests.serving import MODELS
from trainer.cli import main
from trainer.errors import TrainerError
from trainer.publishing import onnx_bytes, onnx_file

onnx = pytest.importorskip("onnx", reason="needs ONNX: pip install -r trainer/requirements-export.txt")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
Output = pytest.CaptureFixture[str]


def test_exported_model_answers_as_the_service_does(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "new" / "small.onnx"
    assert main(["export", str(MODELS / "digits-8x8.npz"), "--to", str(path)]) == 0
    assert "pixels (n, 64) float32 -> probabilities (n, 10)" in capsys.readouterr().out
    pixels = np.random.default_rng(5).random((7, 64), np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"pixels": pixels})
    artifact = load(MODELS / "digits-8x8.npz")
    ours = [one.probabilities for one in Classifier(artifact).classify(pixels)]
    assert found == pytest.approx(np.array(ours), abs=1e-5)
    assert session.get_modelmeta().custom_metadata_map == {"version": artifact.version}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_exported(activation: str) -> None:
    shipped = load(MODELS / "digits-8x8.npz")
    layers = [Layer(one.weights, one.biases, activation) for one in shipped.layers[:-1]] + [
        shipped.layers[-1]
    ]
    assert onnx_bytes(dataclasses.replace(shipped, layers=tuple(layers)))[1] < 1e-5


def test_file_that_answers_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(onnx_file.OPERATORS, "relu", "Tanh")
    with pytest.raises(TrainerError, match="ONNX Runtime does not agree: a probability differs by"):
        onnx_bytes(load(MODELS / "digits-8x8.npz"))
    assert main(["export", str(MODELS / "digits-8x8.npz"), "--to", str(tmp_path / "x.onnx")]) == 1
    assert not (tmp_path / "x.onnx").exists()
