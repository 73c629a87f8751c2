"""A model file is what it says, or is refused with the reason; hostile files included."""

import io
import json
import pickle
import struct
import zipfile

import numpy as np
import pytest

from service.model.artifact import MAX_ARTIFACT_BYTES, load, parse, save
from service.model.errors import (
    ArtifactError,
    ArtifactTooLargeError,
    MalformedArtifactError,
    MetadataError,
    NotFiniteError,
    UnreadableArtifactError,
)
from service.model.network import Layer
from service.preprocessing.normalization import MNIST_GEOMETRY
from tests.tiny import tiny_artifact, tiny_content


def rewritten(content: bytes, **members: bytes | None) -> bytes:
    """Return the file with some members replaced (or, for None, left out)."""
    old = zipfile.ZipFile(io.BytesIO(content))
    everything = {name.removesuffix(".npy"): old.read(name) for name in old.namelist()} | members
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in everything.items():
            if data is not None:
                archive.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def claiming(shape: tuple[int, ...], data: bytes = b"") -> bytes:
    """Return an .npy member whose header claims a shape, with `data` after it."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def test_what_is_written_is_read_back():
    artifact = tiny_artifact(geometry=MNIST_GEOMETRY, temperature=0.7)
    assert [layer.weights.shape for layer in artifact.layers] == [(784, 6), (6, 10)]
    assert [layer.activation for layer in artifact.layers] == ["relu", "linear"]
    assert [layer.weights.shape for layer in artifact.rejector] == [(784 + 6, 4), (4, 1)]
    assert artifact.geometry == MNIST_GEOMETRY
    assert artifact.temperature == 0.7
    assert artifact.parameters == 784 * 6 + 6 + 6 * 10 + 10


def test_equal_content_gives_equal_bytes():
    assert tiny_content(seed=3) == tiny_content(seed=3)
    assert tiny_content(seed=3) != tiny_content(seed=4)


def test_the_version_is_the_beginning_of_the_sha256(tmp_path):
    import hashlib

    content = tiny_content()
    save(tmp_path / "a.npz", content)
    artifact = load(tmp_path / "a.npz")
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
    assert artifact.version == artifact.sha256[:12]


def test_numpy_reads_the_file_without_pickles(tmp_path):
    save(tmp_path / "a.npz", tiny_content())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert file["weights_0"].shape == (64, 6)
        assert json.loads(str(file["metadata"]))["temperature"] == 1.5


def test_arrays_are_read_only_so_that_threads_can_share_them():
    with pytest.raises(ValueError, match="read-only"):
        tiny_artifact().layers[0].weights[0, 0] = 1


def test_saving_leaves_nothing_but_the_file(tmp_path):
    save(tmp_path / "a.npz", tiny_content())
    save(tmp_path / "a.npz", tiny_content(seed=1))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    save(tmp_path / "a.npz", b"old")
    monkeypatch.setattr("os.fsync", lambda number: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path / "a.npz", tiny_content())
    assert (tmp_path / "a.npz").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_missing_file_is_unreadable(tmp_path):
    with pytest.raises(UnreadableArtifactError, match="No such file"):
        load(tmp_path / "none.npz")


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.npz"
    with open(path, "wb") as file:
        file.truncate(MAX_ARTIFACT_BYTES + 1)
    with pytest.raises(ArtifactTooLargeError, match="at most"):
        load(path)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_unreadable(share):
    content = tiny_content()
    with pytest.raises(UnreadableArtifactError):
        parse(content[: int(len(content) * share)])


@pytest.mark.parametrize("content", [b"", b"PK", b"hello", b"\x93NUMPY\x01\x00", pickle.dumps([1, 2])])
def test_something_else_is_unreadable(content):
    with pytest.raises(UnreadableArtifactError):
        parse(content)


def test_a_flipped_weight_is_noticed():
    content = bytearray(tiny_content())
    position = content.index(b"weights_0.npy") + 300
    content[position] ^= 0x40
    with pytest.raises(UnreadableArtifactError, match="CRC"):
        parse(bytes(content))


class Malicious:
    """Creates a file when unpickled."""

    def __reduce__(self):
        return (open, ("pickle-was-loaded", "w"))


def test_a_pickle_is_refused_unopened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    member = npy(np.array([Malicious()], dtype=object), allow_pickle=True)
    with pytest.raises(MalformedArtifactError, match="pickled"):
        parse(rewritten(tiny_content(), weights_0=member))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(2**33,), (64, 2**27), (2**40, 2**40), (65, 6), (64, 5)])
def test_false_header_is_refused_before_memory_is_taken(shape):
    member = claiming(shape, b"\0" * (64 * 6 * 4))
    with pytest.raises(MalformedArtifactError, match="claims"):
        parse(rewritten(tiny_content(), weights_0=member))


def test_zip_directory_that_claims_too_much_is_refused():
    content = bytearray(tiny_content())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 20 : entry + 28] = struct.pack("<II", 2**31, 2**31)
    with pytest.raises(ArtifactError):
        parse(bytes(content))


def test_compressed_members_are_refused():
    old = zipfile.ZipFile(io.BytesIO(tiny_content()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in old.namelist():
            archive.writestr(name, old.read(name))
    with pytest.raises(MalformedArtifactError, match="compressed"):
        parse(buffer.getvalue())


def test_too_many_members_are_refused():
    extra = {f"extra_{index}": npy(np.zeros(1)) for index in range(100)}
    with pytest.raises(ArtifactTooLargeError, match="members"):
        parse(rewritten(tiny_content(), **extra))


@pytest.mark.parametrize(
    ("name", "member", "message"),
    [
        ("weights_0", None, "'weights_0' is missing"),
        ("biases_1", None, "'biases_1' is missing"),
        ("weights_0", b"not an array", "no readable .npy header"),
        ("weights_0", npy(np.zeros((64, 6), "f8")), "float64"),
        ("weights_0", npy(np.zeros((63, 6), "f4")), r"shape \(63, 6\)"),
        ("weights_0", npy(np.zeros((64, 0), "f4")), r"shape \(64, 0\)"),
        ("biases_0", npy(np.zeros((6, 1), "f4")), r"shape \(6, 1\)"),
        ("weights_1", npy(np.zeros((6, 9), "f4")), r"9 outputs|shape"),
        ("weights_0", npy(np.asfortranarray(np.zeros((64, 6), "f4"))), "Fortran"),
        ("probe_logits", npy(np.zeros((3, 10), "f4")), "probe_logits"),
        ("judge_weights_0", None, "'judge_weights_0' is missing"),
        ("judge_biases_1", None, "'judge_biases_1' is missing"),
        ("judge_weights_0", npy(np.zeros((64, 4), "f4")), r"shape \(64, 4\)"),
        ("judge_weights_0", npy(np.zeros((70, 4), "f2")), "float16"),
        ("judge_weights_1", npy(np.zeros((5, 1), "f4")), r"shape \(5, 1\)"),
        ("judge_weights_1", claiming((4, 1 << 33)), "claims"),
    ],
)
def test_each_wrong_member_is_named(name, member, message):
    with pytest.raises(MalformedArtifactError, match=message):
        parse(rewritten(tiny_content(), **{name: member}))


@pytest.mark.parametrize(
    "name", ["weights_0", "biases_1", "judge_weights_0", "judge_biases_1", "probe_logits"]
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(name, value):
    shapes = {"weights_0": (64, 6), "biases_1": (10,), "judge_weights_0": (70, 4), "judge_biases_1": (1,)}
    array = np.zeros(shapes.get(name, (2, 10)), "f4")
    array.reshape(-1)[-1] = value
    with pytest.raises(NotFiniteError, match=name):
        parse(tiny_content(**{name: array}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "format_version 1"),
        ({"format_version": None}, "format_version 1"),
        ({"input": {"side": 8}}, "digit_side"),
        ({"input": {"side": 8, "digit_side": 9}}, "digit_side is 9"),
        ({"input": {"side": 1e9, "digit_side": 8}}, "side is 1000000000"),
        ({"input": None}, "'input'"),
        ({"temperature": 0}, "temperature is 0"),
        ({"temperature": "warm"}, "temperature is 'warm'"),
        ({"temperature": True}, "temperature is True"),
        ({"min_confidence": 1.1}, "min_confidence"),
        ({"max_novelty": None}, "max_novelty is None"),
        ({"activations": ["relu"]}, "ends with 'linear'"),
        ({"activations": ["softplus", "linear"]}, "'softplus'"),
        ({"activations": None}, "activations"),
        ({"judge_activations": None}, "judge_activations must be a list"),
        ({"judge_activations": ["relu", "relu"]}, "judge_activations must be a list"),
        ({"training": None}, "'training'"),
        ({"metrics": []}, "'metrics'"),
    ],
)
def test_metadata_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(MetadataError, match=message):
        parse(tiny_content(**changes))


def test_a_judge_with_two_outputs_is_refused():
    rejector = [Layer(np.zeros((70, 2), "f4"), np.zeros(2, "f4"), "linear")]
    with pytest.raises(MalformedArtifactError, match="judge_weights has 2 outputs; 1 are expected"):
        parse(tiny_content(rejector=rejector, judge_activations=["linear"]))


def test_a_file_of_old_without_a_judge_can_be_read():
    assert parse(tiny_content(rejector=[], judge_activations=None)).rejector == ()


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "null", "[" * 100_000, '{"format_version": 1e999}'], ids=len
)
def test_metadata_that_is_no_json_object_is_refused(text):
    with pytest.raises(MetadataError):
        parse(rewritten(tiny_content(), metadata=npy(np.array(text))))


def test_random_damage_raises_only_artifact_errors():
    rng = np.random.default_rng(5)
    original = tiny_content()
    for _ in range(300):
        content = bytearray(original)
        for position in rng.integers(0, len(content), rng.integers(1, 6)):
            content[position] = rng.integers(0, 256)
        try:
            parse(bytes(content))
        except ArtifactError:
            continue
