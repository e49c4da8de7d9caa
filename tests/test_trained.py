import numpy as np
import pytest

import sigfft
from sigfft.trained import load_weights

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((7, 3)).astype(np.float32)
BIAS = RNG.standard_normal(7).astype(np.float32)


@pytest.mark.parametrize("bias", [True, False])
def test_a_head_that_sigfft_wrote_is_its_rows(tmp_path, bias):
    path = tmp_path / "head.safetensors"
    head, params = sigfft.retrofit(WEIGHT, BIAS if bias else None, 2)
    sigfft.save_head(path, head, params)
    for n_labels in (None, 7):
        weight, offset = load_weights(path, n_labels=n_labels)
        assert weight.dtype == np.float32
        assert weight.flags.c_contiguous
        np.testing.assert_array_equal(weight, head.rows(params, np.arange(7)))
        assert (offset is None) == (not bias)
        if bias:
            np.testing.assert_array_equal(offset, BIAS)
    for options, names in [
        ({"tensor": "weight"}, "leave out tensor="),
        ({"bias": "", "transposed": True}, "leave out bias=, transposed="),
    ]:
        with pytest.raises(ValueError, match=f"is a head that sigfft wrote.*{names}$"):
            load_weights(path, **options)


def test_a_folder_answers_for_its_bias(tmp_path):
    with pytest.raises(ValueError, match=r"is a run's folder.*leave out bias=$"):
        load_weights(tmp_path, bias="b")
    with pytest.raises(ValueError, match=r"holds no finished run: report\.json is missing"):
        load_weights(tmp_path)


def test_arrays_of_any_framework(tmp_path):
    np.savez(tmp_path / "m.npz", kernel=WEIGHT.T, bias=BIAS)
    weight, offset = load_weights(tmp_path / "m.npz", "kernel")
    np.testing.assert_array_equal(weight, WEIGHT)
    np.testing.assert_array_equal(offset, BIAS)
    np.testing.assert_array_equal(load_weights(tmp_path / "m.npz", bias="", n_labels=7)[0], WEIGHT)
