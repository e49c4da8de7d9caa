import pickle

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from sigfft.weights import load_weights

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((7, 3)).astype(np.float32)
BIAS = RNG.standard_normal(7).astype(np.float32)


def same(loaded, weight, bias=None):
    assert loaded[0].dtype == weight.dtype
    assert loaded[0].flags.c_contiguous
    np.testing.assert_array_equal(loaded[0], weight)
    assert (loaded[1] is None) == (bias is None)
    if bias is not None:
        np.testing.assert_array_equal(loaded[1], bias)


def test_npy_with_its_bias_in_another_file(tmp_path):
    np.save(tmp_path / "w.npy", WEIGHT)
    np.save(tmp_path / "b.npy", BIAS)
    same(load_weights(tmp_path / "w.npy"), WEIGHT)
    same(load_weights(tmp_path / "w.npy", bias=str(tmp_path / "b.npy")), WEIGHT, BIAS)


@pytest.mark.parametrize(
    ("stored", "tensor", "bias", "with_bias"),
    [
        ({"weight": WEIGHT, "bias": BIAS}, None, None, True),
        ({"W": WEIGHT, "b": BIAS, "other": WEIGHT}, None, None, True),
        ({"W": WEIGHT}, None, None, False),
        ({"out/kernel": WEIGHT, "out/bias": BIAS}, None, None, False),
        ({"out/kernel": WEIGHT, "out/bias": BIAS}, None, "out/bias", True),
        ({"weight": WEIGHT + 1, "out": WEIGHT, "bias": BIAS}, "out", None, False),
        ({"weight": WEIGHT + 1, "out": WEIGHT, "bias": BIAS}, "out", "bias", True),
    ],
)
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_archives_by_name(tmp_path, stored, tensor, bias, with_bias, suffix):
    path = tmp_path / f"model{suffix}"
    np.savez(path, **stored) if suffix == ".npz" else save_file(stored, path)
    same(load_weights(path, tensor, bias), WEIGHT, BIAS if with_bias else None)


def test_dtypes_are_kept(tmp_path):
    half = WEIGHT.astype(ml_dtypes.bfloat16)
    save_file({"weight": half}, tmp_path / "m.safetensors")
    same(load_weights(tmp_path / "m.safetensors"), half)
    np.save(tmp_path / "w.npy", half)
    with pytest.raises(ValueError, match="NumPy files lose bfloat16"):
        load_weights(tmp_path / "w.npy")
    np.save(tmp_path / "i.npy", np.arange(6).reshape(3, 2))
    same(load_weights(tmp_path / "i.npy"), np.arange(6.0).reshape(3, 2))


def test_transposed_layouts(tmp_path):
    np.savez(tmp_path / "m.npz", kernel=np.ascontiguousarray(WEIGHT.T), bias=BIAS)
    path = tmp_path / "m.npz"
    same(load_weights(path, "kernel", "bias"), WEIGHT, BIAS)  # 7 biases
    same(load_weights(path, "kernel", n_labels=7), WEIGHT)
    same(load_weights(path, "kernel", largest_label=5), WEIGHT)
    same(load_weights(path, "kernel", transposed=True), WEIGHT)
    same(load_weights(path, "kernel", largest_label=2), WEIGHT.T)  # could be either: taken as it is
    np.savez(tmp_path / "n.npz", kernel=WEIGHT, bias=BIAS)
    with pytest.raises(ValueError, match="7 values for 3 labels"):
        load_weights(tmp_path / "n.npz", "kernel", "bias", transposed=True)


def write(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "arrays", "arguments", "message"),
    [
        ("m.npz", {"a": WEIGHT, "c": WEIGHT}, {}, "name the weight with --tensor; it has a, c"),
        ("m.npz", {"a": BIAS}, {}, "name the weight"),
        ("m.npz", {"a": WEIGHT, "c": BIAS}, {"tensor": "d"}, "no tensor 'd'; it has a, c"),
        ("m.npz", {"a": WEIGHT, "c": BIAS}, {"bias": "d"}, "no tensor 'd'; it has a, c"),
        ("m.npz", {"a": WEIGHT, "c": BIAS}, {"tensor": "c"}, r"the weight must have 2 axes; given shape \(7,\)"),
        ("m.npz", {"a": WEIGHT, "c": BIAS[:5]}, {"bias": "c"}, "5 values for 7 labels"),
        ("m.npz", {"a": np.where(WEIGHT > 1, np.nan, WEIGHT)}, {}, "must be finite; nan at index"),
        ("m.npz", {"a": WEIGHT.astype(complex)}, {}, "given complex128"),
        ("m.npz", {"a": WEIGHT.astype(object)}, {"tensor": "a"}, "pickled arrays are refused"),
        ("m.npy", WEIGHT, {"tensor": "a"}, "unnamed"),
        ("m.npy", WEIGHT.astype(object), {}, "pickled arrays are refused"),
        ("m.npy", np.full((2, 2), 2**60), {}, "given int64"),
        ("m.safetensors", {"a": WEIGHT, "c": WEIGHT}, {}, "name the weight"),
        ("m.safetensors", {"a": WEIGHT}, {"tensor": "d"}, "no tensor 'd'; it has a"),
    ],
)
def test_unfit_arrays_are_named(tmp_path, name, arrays, arguments, message):
    path = tmp_path / name
    if name.endswith(".npy"):
        np.save(path, arrays, allow_pickle=True)
    elif name.endswith(".npz"):
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    with pytest.raises(ValueError, match=message):
        load_weights(path, **arguments)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_truncated_pickled_or_foreign_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"m{suffix}"
    if suffix == ".npy":
        np.save(path, WEIGHT)
    elif suffix == ".npz":
        np.savez(path, weight=WEIGHT)
    else:
        save_file({"weight": WEIGHT}, path)
    whole = path.read_bytes()
    pickled = pickle.dumps(WEIGHT)
    for content in (b"", whole[:5], whole[: len(whole) // 2], whole[:-8], pickled, b"hello\n" * 30):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=str(path)):
            load_weights(path)
    with pytest.raises(ValueError, match="weights are read from"):
        load_weights(write(tmp_path / "m.pt", pickled))
    with pytest.raises(FileNotFoundError):
        load_weights(tmp_path / f"none{suffix}")
