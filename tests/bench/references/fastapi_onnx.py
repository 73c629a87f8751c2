"""FastAPI on ONNX Runtime: decode, resize, one network, ten probabilities; nothing else."""

import io
import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, UploadFile
from PIL import Image

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["BENCH_ONNX"], options, ["CPUExecutionProvider"])
app = FastAPI()


@app.post("/predict")
async def predict(file: UploadFile) -> dict:
    image = Image.open(io.BytesIO(await file.read())).convert("L").resize((28, 28))
    pixels = np.asarray(image, np.float32).reshape(1, 784) / 255
    (probabilities,) = session.run(None, {"pixels": pixels})[0]
    return {"digit": int(probabilities.argmax()), "probabilities": probabilities.tolist()}
