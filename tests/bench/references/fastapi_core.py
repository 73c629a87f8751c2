"""FastAPI calling this project's own model core: the same work as the service, without its extras."""

import os
from pathlib import Path

from fastapi import FastAPI, UploadFile

from service.model.artifact import load
from service.model.classifier import Classifier
from service.preprocessing.pipeline import preprocess

classifier = Classifier(load(Path(os.environ["BENCH_MODEL"])), "mnist-28x28")
model = {"name": classifier.name, "version": classifier.artifact.version}
app = FastAPI()


@app.post("/predict")
async def predict(file: UploadFile) -> dict:
    pixels = preprocess(await file.read(), classifier.artifact.geometry)
    (prediction,) = classifier.classify(pixels[None])
    return {
        "digit": prediction.digit,
        "confidence": prediction.confidence,
        "probabilities": prediction.probabilities,
        "accepted": prediction.accepted,
        "model": model,
    }
