"""The arrays of an `.npz` file, read without trusting it: no pickles, and every claim is checked first.

bytes -> zip directory -> checked entries -> .npy headers -> arrays, by member name
"""

import io
import math
import struct
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np

from service.model.errors import (
    ArtifactTooLargeError,
    MalformedArtifactError,
    NotFiniteError,
    UnreadableArtifactError,
)

MAX_MEMBERS = 64
MAX_HEADER_BYTES = 4096

# What zipfile raises for files that are not zip files or have wrong headers; found by fuzzing.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    EOFError,
    struct.error,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    OverflowError,
)


def read_members(content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of an `.npz` file, read-only, by name; raises an ArtifactError."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _check_entries(entries, len(content))
            return {
                entry.filename.removesuffix(".npy"): _read_array(entry.filename, archive.read(entry))
                for entry in entries
            }
    except ZIP_ERRORS as error:
        raise UnreadableArtifactError(f"it is truncated or not an .npz file: {error}") from error


def _check_entries(entries: Sequence[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > MAX_MEMBERS:
        raise ArtifactTooLargeError(f"it has {len(entries)} members; at most {MAX_MEMBERS} are allowed")
    if len({entry.filename for entry in entries}) != len(entries):
        raise MalformedArtifactError("a member occurs twice")
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED:
            raise MalformedArtifactError(f"{entry.filename} is compressed; members are stored as they are")
    claimed = sum(entry.file_size for entry in entries)
    if claimed > size:
        raise ArtifactTooLargeError(f"its members claim {claimed} bytes, but the file has {size}")


def _read_array(name: str, content: bytes) -> np.ndarray:
    """Return the array of one .npy member, read-only, without trusting its header."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran_order, dtype = read_header(stream, max_header_size=MAX_HEADER_BYTES)
    except (ValueError, KeyError, TypeError, SyntaxError) as error:
        raise MalformedArtifactError(f"{name} has no readable .npy header: {error}") from error
    if dtype.hasobject:
        raise MalformedArtifactError(f"{name} holds pickled Python objects, which are never loaded")
    if fortran_order and len(shape) > 1:
        raise MalformedArtifactError(f"{name} is in Fortran order; C order is expected")
    claimed = math.prod(shape) * dtype.itemsize
    present = len(content) - stream.tell()
    if claimed != present or any(length < 0 for length in shape):
        raise MalformedArtifactError(f"{name} claims {claimed} bytes of shape {shape}, but {present} follow")
    return np.frombuffer(content, dtype, math.prod(shape), stream.tell()).reshape(shape)


def member(
    members: Mapping[str, np.ndarray], name: str, dtype: str, shape: tuple[int | None, ...]
) -> np.ndarray:
    """Return a member after checking type, shape (None: any length but 0) and that it is finite."""
    array = members.get(name)
    if array is None:
        raise MalformedArtifactError(f"the member {name!r} is missing")
    fits = len(array.shape) == len(shape) and all(
        length > 0 if wanted is None else length == wanted
        for length, wanted in zip(array.shape, shape, strict=True)
    )
    if array.dtype != np.dtype(dtype) or not fits:
        wanted = tuple("any" if length is None else length for length in shape)
        raise MalformedArtifactError(
            f"{name} is {array.dtype} of shape {array.shape}; {np.dtype(dtype)} of shape {wanted} is expected"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise NotFiniteError(f"{name} holds NaN or infinity")
    return array
