"""Flask as tutorials have it: open, gray, resize, three matrix products, jsonify."""

import os

import numpy as np
from flask import Flask, jsonify, request
from PIL import Image

app = Flask(__name__)
with np.load(os.environ["BENCH_MODEL"]) as arrays:
    layers = [(arrays[f"weights_{index}"], arrays[f"biases_{index}"]) for index in range(3)]


@app.route("/predict", methods=["POST"])
def predict():
    image = Image.open(request.files["file"]).convert("L").resize((28, 28))
    signal = np.array(image, dtype=np.float32).reshape(1, 784) / 255
    for weights, biases in layers[:-1]:
        signal = np.maximum(signal @ weights + biases, 0)
    weights, biases = layers[-1]
    exponentials = np.exp(signal @ weights + biases)
    probabilities = (exponentials / exponentials.sum())[0]
    return jsonify(digit=int(probabilities.argmax()), probabilities=probabilities.tolist())
