"""The shipped network as an ONNX file, for the references that run ONNX Runtime.

    python -m tests.bench.references.make_onnx models/mnist-28x28.npz network.onnx

weights, biases -> Gemm, Relu, ..., Gemm -> Softmax; runs in the environment that has `onnx`.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def build(path: str) -> onnx.ModelProto:
    """Return a model from "pixels", (n, 784) float32, to "probabilities", (n, 10)."""
    with np.load(path) as arrays:
        layers = [
            (arrays[f"weights_{index}"], arrays[f"biases_{index}"])
            for index in range(sum(name.startswith("weights_") for name in arrays))
        ]
    nodes, constants, signal = [], [], "pixels"
    for index, (weights, biases) in enumerate(layers):
        names = [f"weights_{index}", f"biases_{index}"]
        constants += map(numpy_helper.from_array, (weights, biases), names)
        nodes.append(helper.make_node("Gemm", [signal, *names], [f"sum_{index}"]))
        last = index == len(layers) - 1
        signal = "probabilities" if last else f"hidden_{index}"
        nodes.append(helper.make_node("Softmax" if last else "Relu", [f"sum_{index}"], [signal]))
    inputs = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", len(layers[0][0])])
    outputs = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(layers[-1][1])])
    graph = helper.make_graph(nodes, "digits", [inputs], [outputs], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


if __name__ == "__main__":
    onnx.save(build(sys.argv[1]), sys.argv[2])
