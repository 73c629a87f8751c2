"""The network as an ONNX file: pixels in, calibrated probabilities out, for other runtimes.

    Artifact -> one Gemm and activation for each layer -> / temperature -> Softmax -> FILE.onnx
             -> ONNX Runtime, beside our own forward pass -> written only if they agree

The file has neither preprocessing nor rejector: it takes pixels that `service.preprocessing` has made, and
does not say whether they are a digit.
"""

from typing import Any

import numpy as np

from service.model.artifact import Artifact
from service.model.classifier import Classifier
from trainer.errors import TrainerError, UsageError

OPSET = 17  # of 2022; every newer runtime reads it
IR_VERSION = 8  # the file format that came with it
ROUNDING = 1e-5  # probabilities that differ by less are the same
CHECKED_PICTURES = 256
OPERATORS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "leaky_relu": "LeakyRelu"}
INSTALL = "pip install -r trainer/requirements-export.txt"


def onnx_bytes(artifact: Artifact) -> tuple[bytes, float]:
    """Return the ONNX file of a model, and the largest difference of a probability from our own.

    Raises UsageError without ONNX and ONNX Runtime, TrainerError if the two do not agree.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise UsageError(f"export needs ONNX and ONNX Runtime: {INSTALL}") from error
    content: bytes = _model(onnx, artifact).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    pixels = _pictures(artifact)
    (found,) = session.run(["probabilities"], {"pixels": pixels})
    ours = np.array([one.probabilities for one in Classifier(artifact).classify(pixels)])
    difference = float(np.abs(found - ours).max())
    if not difference < ROUNDING:  # NaN does not count as agreement
        raise TrainerError(f"ONNX Runtime does not agree: a probability differs by {difference:.2g}")
    return content, difference


def _pictures(artifact: Artifact) -> np.ndarray:
    """Return noise to compare answers on, (CHECKED_PICTURES, side * side) float32 in [0, 1]."""
    rng = np.random.default_rng(0)
    side = artifact.geometry.side
    noise = rng.random((CHECKED_PICTURES, side**2), np.float32)
    return np.where(rng.random(noise.shape) < rng.random((CHECKED_PICTURES, 1)), noise, 0).astype(np.float32)


def _model(onnx: Any, artifact: Artifact) -> Any:
    """Return the ONNX model. onnx: the library, which takes a second to import."""
    helper, numbers = onnx.helper, onnx.numpy_helper
    nodes, weights, signal = [], [], "pixels"
    for index, layer in enumerate(artifact.layers):
        names = [f"weights_{index}", f"biases_{index}"]
        weights += [
            numbers.from_array(np.ascontiguousarray(values), name)
            for values, name in zip((layer.weights, layer.biases), names, strict=True)
        ]
        nodes.append(helper.make_node("Gemm", [signal, *names], [f"sums_{index}"]))
        signal = f"sums_{index}"
        if layer.activation != "linear":
            slope = {"alpha": 0.01} if layer.activation == "leaky_relu" else {}
            nodes.append(helper.make_node(OPERATORS[layer.activation], [signal], [f"units_{index}"], **slope))
            signal = f"units_{index}"
    weights.append(numbers.from_array(np.float32(artifact.temperature), "temperature"))
    nodes.append(helper.make_node("Div", [signal, "temperature"], ["logits"]))
    nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    kind, outputs = onnx.TensorProto.FLOAT, artifact.layers[-1].biases.size
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("pixels", kind, ["pictures", artifact.geometry.side**2])],
        [helper.make_tensor_value_info("probabilities", kind, ["pictures", outputs])],
        weights,
    )
    model = helper.make_model(
        graph, producer_name="digits", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    helper.set_model_props(model, {"version": artifact.version})
    onnx.checker.check_model(model, full_check=True)
    return model
