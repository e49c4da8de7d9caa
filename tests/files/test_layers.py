import json
import pickle
import struct
import zipfile

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

import sigfft
from sigfft.files.layers import holds_head, load_weights

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
        ({"out/kernel": WEIGHT, "out/bias": BIAS}, None, None, True),
        ({"out/kernel": WEIGHT, "out/bias": BIAS}, None, "out/bias", True),
        ({"out/kernel": WEIGHT, "out/bias": BIAS}, None, "", False),
        ({"kernel": WEIGHT, "bias": BIAS, "other": WEIGHT}, None, None, True),
        ({"a.weight": WEIGHT, "a.bias": BIAS, "b.weight": WEIGHT, "b.bias": BIAS + 1}, "a.weight", None, True),
        ({"out": WEIGHT, "out_bias": BIAS, "scale": BIAS}, None, None, True),
        ({"out": WEIGHT, "scale": BIAS[:5]}, None, None, False),
        ({"weight": WEIGHT + 1, "out": WEIGHT, "bias": BIAS}, "out", "", False),
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
    kernel = np.ascontiguousarray(WEIGHT.T)
    np.savez(tmp_path / "m.npz", kernel=kernel, bias=BIAS)
    np.savez(tmp_path / "k.npz", kernel=kernel)
    path, alone = tmp_path / "m.npz", tmp_path / "k.npz"
    same(load_weights(path), WEIGHT, BIAS)  # 7 biases
    same(load_weights(path, "kernel", "bias"), WEIGHT, BIAS)
    same(load_weights(path, "kernel", "", n_labels=7), WEIGHT)
    same(load_weights(alone, n_labels=7), WEIGHT)
    same(load_weights(alone, transposed=True, largest_label=5), WEIGHT)
    same(load_weights(alone, largest_label=2), kernel)  # could be either: taken as it is
    with pytest.raises(ValueError, match=r"label id 3 is not one of the 3 labels, 0 \.\. 2; .* say transposed=True"):
        load_weights(alone, largest_label=3)  # could be a wrong label: not guessed
    np.savez(tmp_path / "n.npz", kernel=WEIGHT, bias=BIAS)
    with pytest.raises(ValueError, match="7 values for 3 labels"):
        load_weights(tmp_path / "n.npz", "kernel", "bias", transposed=True)


def test_a_head_that_sigfft_wrote_is_no_layer(tmp_path):
    path = tmp_path / "head.safetensors"
    sigfft.save_head(path, *sigfft.retrofit(WEIGHT, BIAS, 2))
    assert holds_head(path)
    with pytest.raises(ValueError, match=r"is a head that sigfft wrote; read it with sigfft\.load_head"):
        load_weights(path)
    for other in (saved(tmp_path, ".npz"), saved(tmp_path, ".safetensors"), tmp_path):
        assert not holds_head(other)


def write(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "arrays", "arguments", "message"),
    [
        ("m.npz", {"a": WEIGHT, "c": WEIGHT}, {}, "name the weight by tensor=; it has a, c"),
        ("m.npz", {"a": BIAS}, {}, "name the weight"),
        ("m.npz", {"a": WEIGHT, "c": BIAS}, {"tensor": "d"}, "no tensor 'd'; it has a, c"),
        ("m.npz", {"a": WEIGHT, "c": BIAS}, {"bias": "d"}, "no tensor 'd'; it has a, c"),
        ("m.npz", {"a": WEIGHT, "c": BIAS}, {"tensor": "c"}, r"the weight must have 2 axes; given shape \(7,\)"),
        ("m.npz", {"a": WEIGHT, "c": BIAS[:5]}, {"bias": "c"}, "5 values for 7 labels"),
        ("m.npz", {"weight": WEIGHT, "bias": BIAS[:5]}, {}, "5 values for 7 labels"),
        ("m.npz", {"a": WEIGHT, "c": BIAS}, {}, 'the bias of a may be c; give its name by bias=, or bias=""'),
        ("m.npz", {"a": WEIGHT, "c": BIAS[:3]}, {"tensor": "a"}, "the bias of a may be c"),
        ("m.npz", {"weight": WEIGHT, "out": WEIGHT, "bias": BIAS}, {"tensor": "out"}, "the bias of out may be bias"),
        ("m.safetensors", {"x.weight": WEIGHT, "y.bias": BIAS}, {}, "the bias of x.weight may be y.bias"),
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


def saved(folder, suffix):
    """WEIGHT in a file of one of the formats."""
    path = folder / f"m{suffix}"
    if suffix == ".npy":
        np.save(path, WEIGHT)
    elif suffix == ".npz":
        np.savez(path, weight=WEIGHT)
    else:
        save_file({"weight": WEIGHT}, path)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_truncated_pickled_or_foreign_files_are_refused(tmp_path, suffix):
    path = saved(tmp_path, suffix)
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


def npy(header):
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + WEIGHT.tobytes()


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (7000000000, 3000000), }",  # more than any memory
        "{'descr': '<f4', 'fortran_order': False, 'shape': (70000000000000000000, 3), }",  # more than 64 bits
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 70000000000000000000), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-7, -3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 3(, }",
        "['descr']",
    ],
)
def test_headers_that_do_not_fit_what_follows(tmp_path, header):
    content = npy(header)
    with pytest.raises(ValueError, match=r"m\.npy"):
        load_weights(write(tmp_path / "m.npy", content))
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr("weight.npy", content)
    with pytest.raises(ValueError, match=r"m\.npz, weight"):
        load_weights(tmp_path / "m.npz")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_any_flipped_byte_is_refused_or_read(tmp_path, suffix):
    path = saved(tmp_path, suffix)
    whole = path.read_bytes()
    refused = []
    for place in [*range(150), *range(len(whole) - 150, len(whole))]:
        for bit in (0, 1, 3, 5):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                load_weights(path)
            except ValueError as error:
                refused.append(str(error))
    assert len(refused) > 100
    assert all(str(path) in message for message in refused)


def test_members_and_tensors_that_are_not_asked_for(tmp_path):
    path = tmp_path / "m.npz"
    np.savez(path, weight=WEIGHT, bias=BIAS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes.txt", "hello")
    same(load_weights(path), WEIGHT, BIAS)
    with pytest.raises(ValueError, match=r"no tensor 'notes.txt'; it has bias, weight"):
        load_weights(path, "notes.txt")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes.npy", "hello")
    with pytest.raises(ValueError, match=r"m\.npz, notes\.npy: not a \.npy file"):
        load_weights(path)

    tensors = {"weight": ("F32", WEIGHT.shape, WEIGHT.tobytes()), "scale": ("F8_E4M3", (7, 3), bytes(21))}
    about, values = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        about[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(values), len(values) + len(data)]}
        values += data
    header = json.dumps(about).encode()
    path = write(tmp_path / "m.safetensors", struct.pack("<Q", len(header)) + header + values)
    same(load_weights(path), WEIGHT)
    with pytest.raises(ValueError, match="scale is F8_E4M3, which NumPy does not know"):
        load_weights(path, "scale")
