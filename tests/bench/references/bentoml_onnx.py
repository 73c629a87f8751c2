"""BentoML on ONNX Runtime: the same work as the FastAPI application."""

import os
from pathlib import Path

import bentoml
import numpy as np
import onnxruntime
from PIL import Image


@bentoml.service(workers=2)
class Digits:
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.environ["BENCH_ONNX"], options, ["CPUExecutionProvider"]
        )

    @bentoml.api(route="/predict")
    def predict(self, file: Path) -> dict:
        image = Image.open(file).convert("L").resize((28, 28))
        pixels = np.asarray(image, np.float32).reshape(1, 784) / 255
        (probabilities,) = self.session.run(None, {"pixels": pixels})[0]
        return {"digit": int(probabilities.argmax()), "probabilities": probabilities.tolist()}
