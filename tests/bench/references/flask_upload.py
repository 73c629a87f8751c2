"""Flask that reads the upload and always answers the same: the floor for any Flask service."""

from flask import Flask, request

app = Flask(__name__)


@app.post("/predict")
def predict():
    request.files["file"].read()
    return {"digit": 0}
