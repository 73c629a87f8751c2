"""Tensors on the wire of the Open Inference Protocol: JSON, raw bytes behind a JSON header, or mixed.

    body, Inference-Header-Content-Length -> split -> {name: array}
    outputs, what the client asked for -> JSON, or JSON and raw bytes

Protocol: kserve/open-inference-protocol, specification/protocol/inference_rest.md; the binary and
classification extensions: triton-inference-server/server, docs/protocol. Raw data is little-endian
and row-major; an element of BYTES is its length as uint32, then the bytes.
"""

import json
import math
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import numpy as np

from service.api.uploads import decode_base64

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_ELEMENTS = 64 * 1024 * 1024  # a shape is only a claim; the body bounds its content
INPUTS = {"pixels": "FP32", "image": "BYTES"}
INPUTS_IN_WORDS = " or ".join(f"{name!r} ({datatype})" for name, datatype in INPUTS.items())
DTYPES = {"BOOL": np.dtype("?"), "INT64": np.dtype("<i8"), "FP32": np.dtype("<f4")}


class TensorError(Exception):
    """The request does not follow the Open Inference Protocol."""


class Output(NamedTuple):
    """A requested output.

    classes: if above 0, return only this many of the most likely classes (classification extension).
    """

    name: str
    binary: bool
    classes: int


class InferenceRequest(NamedTuple):
    """A parsed request. inputs: arrays by name; BYTES come as arrays of bytes objects."""

    id: str | None
    inputs: Mapping[str, np.ndarray]
    outputs: list[Output]
    binary: bool  # applies to all outputs if the client named none


def read_request(body: bytes, header_length: str | None) -> InferenceRequest:
    """Return the request in a body; header_length: the header Inference-Header-Content-Length.

    Raises TensorError.
    """
    if header_length is None:
        header, raw = body, b""
    else:
        if not (header_length.isascii() and header_length.isdigit() and 0 < int(header_length) <= len(body)):
            raise TensorError(
                f"Inference-Header-Content-Length is {header_length[:20]!r}; the length in bytes of the "
                f"JSON part, 1 to {len(body)} here, is expected."
            )
        header, raw = body[: int(header_length)], body[int(header_length) :]
    try:
        message = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise TensorError(f"The JSON of the request cannot be read: {error}.") from error
    _expect(isinstance(message, dict), "The request must be a JSON object.")
    name = message.get("id")
    _expect(name is None or isinstance(name, str), "'id' must be a string.")
    binary = _parameters(message).get("binary_data_output", False)
    _expect(isinstance(binary, bool), "The parameter 'binary_data_output' must be true or false.")
    return InferenceRequest(name, _inputs(message, raw), _outputs(message, binary), binary)


def raw_request(body: bytes, pixels: int) -> InferenceRequest:
    """Return the request in a body that is a single raw tensor; its outputs are raw too.

    The body is either a row of `pixels` float32 numbers in [0, 1] or an image file. The two cannot be
    confused: read as float32, the header of every image format soon gives a number far outside [0, 1].
    """
    if len(body) == pixels * DTYPES["FP32"].itemsize:
        row: np.ndarray = np.frombuffer(body, DTYPES["FP32"])
        if ((row >= 0) & (row <= 1)).all():
            return InferenceRequest(None, {"pixels": row.reshape(1, pixels)}, [], True)
    image = np.empty(1, object)
    image[0] = body
    return InferenceRequest(None, {"image": image}, [], True)


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise TensorError(otherwise)


def _parameters(owner: Mapping[str, Any]) -> dict[str, Any]:
    parameters = owner.get("parameters", {})
    _expect(isinstance(parameters, dict), "'parameters' must be an object.")
    return parameters


def _inputs(message: Mapping[str, Any], raw: bytes) -> dict[str, np.ndarray]:
    tensors = message.get("inputs")
    if not isinstance(tensors, list) or not tensors:
        raise TensorError("'inputs' must be a list of at least one tensor.")
    arrays: dict[str, np.ndarray] = {}
    for tensor in tensors:
        _expect(isinstance(tensor, dict), "A tensor of 'inputs' must be an object.")
        name = tensor.get("name")
        _expect(isinstance(name, str), "The 'name' of an input must be a string.")
        _expect(name not in arrays, f"The input {name!r} appears twice.")
        _expect(name in INPUTS, f"There is no input {name!r}. Send one, either {INPUTS_IN_WORDS}.")
        datatype = str(tensor.get("datatype"))
        _expect(
            datatype == INPUTS[name], f"The input {name!r} is {datatype[:20]}; {INPUTS[name]} is expected."
        )
        shape = _shape(tensor)
        size = _parameters(tensor).get("binary_data_size")
        if size is None:
            arrays[name] = tensor_from_json(name, tensor.get("data"), shape)
            continue
        _expect("data" not in tensor, f"The input {name!r} has both 'data' and 'binary_data_size'.")
        whole = isinstance(size, int) and not isinstance(size, bool)
        _expect(
            whole and 0 <= size <= len(raw),
            f"The binary_data_size of {name!r} is {size!r}, but {len(raw)} bytes of binary data are left.",
        )
        arrays[name] = _from_binary(tensor, shape, raw[:size])
        raw = raw[size:]
    _expect(not raw, f"{len(raw)} bytes of binary data belong to no input.")
    return arrays


def _shape(tensor: Mapping[str, Any]) -> tuple[int, ...]:
    shape = tensor.get("shape")
    whole = isinstance(shape, list) and all(
        isinstance(length, int) and not isinstance(length, bool) and length >= 0 for length in shape
    )
    if not whole or not shape or len(shape) > 8 or math.prod(shape) > MAX_ELEMENTS:
        raise TensorError(
            f"The shape of {tensor.get('name')!r} must be a list of 1 to 8 whole numbers, of reasonable size."
        )
    return tuple(shape)


def tensor_from_json(name: str, data: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return the array of an input; data: its elements, nested in lists or flat. Raises TensorError."""
    flat = _flatten(data, name)
    expected = math.prod(shape)
    _expect(
        len(flat) == expected,
        f"The data of {name!r} has {len(flat)} elements; the shape {list(shape)} asks for {expected}.",
    )
    if INPUTS[name] == "BYTES":
        array = np.empty(expected, object)
        array[:] = [_element(value, name) for value in flat]
        return array.reshape(shape)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in flat)
    _expect(numbers, f"The elements of {name!r} must be numbers.")
    try:
        with np.errstate(over="ignore"):
            return np.array(flat, DTYPES[INPUTS[name]]).reshape(shape)
    except (OverflowError, ValueError) as error:
        raise TensorError(f"A number of {name!r} does not fit {INPUTS[name]}.") from error


def _element(value: Any, name: str) -> bytes:
    """Return an element of BYTES from a string or {"b64": ...}, as TensorFlow and KServe V1 write it."""
    if isinstance(value, dict) and isinstance(value.get("b64"), str):
        return decode_base64(value["b64"])
    _expect(isinstance(value, str), f'The elements of {name!r} must be strings, or {{"b64": "..."}}.')
    return cast(str, value).encode("utf-8", "surrogatepass")


def _flatten(data: Any, name: str) -> list[Any]:
    """Return the elements of nested lists in order; `data` may also be flat already."""
    _expect(isinstance(data, list), f"The input {name!r} has neither 'data', a list, nor 'binary_data_size'.")
    while data and all(isinstance(each, list) for each in data):
        data = [value for row in data for value in row]
    _expect(not any(isinstance(each, list) for each in data), f"The lists in {name!r} are uneven.")
    return data


def _from_binary(tensor: Mapping[str, Any], shape: tuple[int, ...], raw: bytes) -> np.ndarray:
    name, datatype, count = tensor["name"], INPUTS[tensor["name"]], math.prod(shape)
    if datatype == "BYTES":
        array = np.empty(count, object)
        elements = _split_bytes(raw, name)
        _expect(
            len(elements) == count,
            f"The input {name!r} holds {len(elements)} elements; the shape {list(shape)} asks for {count}.",
        )
        array[:] = elements
        return array.reshape(shape)
    dtype = DTYPES[datatype]
    expected = count * dtype.itemsize
    _expect(
        len(raw) == expected,
        f"The binary data of {name!r} has {len(raw)} bytes; {datatype} {list(shape)} takes {expected}.",
    )
    return np.frombuffer(raw, dtype).reshape(shape)


def _split_bytes(raw: bytes, name: str) -> list[bytes]:
    elements, position = [], 0
    while position < len(raw):
        _expect(position + 4 <= len(raw), f"The binary data of {name!r} ends within a length.")
        (length,) = struct.unpack_from("<I", raw, position)
        position += 4
        _expect(position + length <= len(raw), f"The binary data of {name!r} ends within an element.")
        elements.append(raw[position : position + length])
        position += length
    return elements


def _outputs(message: Mapping[str, Any], binary: bool) -> list[Output]:
    wanted = message.get("outputs", [])
    _expect(isinstance(wanted, list), "'outputs' must be a list.")
    outputs = []
    for each in wanted:
        _expect(
            isinstance(each, dict) and isinstance(each.get("name"), str), "Each of 'outputs' needs a name."
        )
        parameters = _parameters(each)
        own = parameters.get("binary_data", binary)
        classes = parameters.get("classification", 0)
        _expect(isinstance(own, bool), "The parameter 'binary_data' must be true or false.")
        _expect(
            isinstance(classes, int) and not isinstance(classes, bool) and classes >= 0,
            "The parameter 'classification' must be the number of classes wanted.",
        )
        outputs.append(Output(each["name"], own, classes))
    return outputs


def write_outputs(arrays: list[tuple[Output, np.ndarray]]) -> tuple[list[dict[str, Any]], bytes]:
    """Return the 'outputs' of a response, and the raw bytes that follow its JSON."""
    described, raw = [], b""
    for output, values in arrays:
        array = classification(values, output.classes) if output.classes else values
        tensor: dict[str, Any] = {
            "name": output.name,
            "datatype": datatype_of(array),
            "shape": list(array.shape),
        }
        if output.binary:
            content = _to_binary(array)
            tensor["parameters"] = {"binary_data_size": len(content)}
            raw += content
        else:
            flat = array.reshape(-1).tolist()
            tensor["data"] = [each.decode() for each in flat] if array.dtype == object else flat
        described.append(tensor)
    return described, raw


def datatype_of(array: np.ndarray) -> str:
    """Return the protocol's name of an array's type."""
    return (
        "BYTES"
        if array.dtype == object
        else next(name for name, dtype in DTYPES.items() if dtype == array.dtype)
    )


def _to_binary(array: np.ndarray) -> bytes:
    if array.dtype == object:
        return b"".join(struct.pack("<I", len(each)) + each for each in array.reshape(-1))
    return array.tobytes()


def classification(values: np.ndarray, classes: int) -> np.ndarray:
    """Return (n, classes) elements "value:index:label", best first, of (n, 10) probabilities."""
    _expect(values.ndim == 2, "Only 'probabilities' can be returned as a classification.")
    classes = min(classes, values.shape[1])
    best = np.argsort(-values, axis=1, kind="stable")[:, :classes]
    result = np.empty(best.shape, object)
    for row, column in np.ndindex(*best.shape):
        index = best[row, column]
        result[row, column] = f"{values[row, index]:.6f}:{index}:{index}".encode()
    return result
