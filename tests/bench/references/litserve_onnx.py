"""LitServe on ONNX Runtime: the same work as the FastAPI application."""

import io
import os
import sys

import litserve
import numpy as np
import onnxruntime
from PIL import Image


class Digits(litserve.LitAPI):
    def setup(self, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.environ["BENCH_ONNX"], options, ["CPUExecutionProvider"]
        )

    def decode_request(self, request) -> np.ndarray:  # the form; an annotation would change that
        image = Image.open(io.BytesIO(request["file"].file.read())).convert("L").resize((28, 28))
        return np.asarray(image, np.float32).reshape(1, 784) / 255

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        return self.session.run(None, {"pixels": pixels})[0][0]

    def encode_response(self, probabilities: np.ndarray) -> dict:
        return {"digit": int(probabilities.argmax()), "probabilities": probabilities.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Digits(), accelerator="cpu", workers_per_device=2)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        generate_client_file=False,
        log_level="error",
        num_api_servers=1,
    )
