import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import save_file

from sigfft.encoders import TextCNN

TOKENS = np.array([[2, 5, 1, 4, 3, 3, 0], [3, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]], np.int32)


def test_a_feature_is_the_largest_value_of_a_filter_over_the_windows_of_a_text():
    encoder = TextCNN(6, dim=7, embedding_dim=3, activation="tanh", rngs=nnx.Rngs(0))
    encoder.windows.bias[...] = np.linspace(-1, 1, 7, dtype=np.float32)
    longer = np.pad(TOKENS, ((0, 0), (0, 3)))
    masked = {"tokens": np.where(longer == 0, 4, longer), "token_mask": longer != 0}  # padding of any id
    found = jax.jit(lambda: (encoder({"tokens": TOKENS}), encoder({"tokens": longer}), encoder(masked)))()
    table, kernel, bias = (
        np.asarray(p[...]) for p in (encoder.embedding, encoder.windows.kernel, encoder.windows.bias)
    )
    expected = np.zeros((3, 7))
    for row, text in enumerate(TOKENS):
        length = np.count_nonzero(text)
        embedded = np.zeros((length + 3, 3))
        embedded[:length] = table[text[:length]]
        windows = [np.einsum("we,wef->f", embedded[i : i + 4], kernel) + bias for i in range(length)]
        expected[row] = np.tanh(windows).max(axis=0) if windows else 0
    for features in found:
        np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


def test_vectors_of_tokens_come_from_a_file(tmp_path):
    vectors = np.arange(12.0).reshape(6, 2)
    np.save(tmp_path / "v.npy", vectors)
    save_file({"anything": vectors.astype(np.float16)}, tmp_path / "v.safetensors")
    for path in (tmp_path / "v.npy", tmp_path / "v.safetensors"):
        arguments, params = TextCNN.read_pretrained(path, 6)
        assert arguments == {"embedding_dim": 2}
        assert params["embedding"].dtype == np.float32
        np.testing.assert_array_equal(params["embedding"], vectors)


def test_a_file_of_other_vectors_is_refused(tmp_path):
    vectors = np.ones((6, 2))
    np.save(tmp_path / "rows.npy", vectors[:5])
    np.save(tmp_path / "inf.npy", vectors * np.inf)
    np.save(tmp_path / "words.npy", vectors.astype(str).reshape(6, 2) + "a")
    save_file({"a": vectors, "b": vectors}, tmp_path / "two.safetensors")
    for name, message in [
        ("none.npy", r"none\.npy must be an \.npy, \.npz or \.safetensors file of vectors that exists"),
        ("rows.npy", r"has the shape \(5, 2\); expected \(6, dim\), a row for each token"),
        ("inf.npy", "must be finite in float32; it holds inf"),
        ("words.npy", "expected real numbers"),
        ("two.safetensors", "must hold one array, the vectors of all tokens; it has a, b"),
    ]:
        with pytest.raises(ValueError, match=message):
            TextCNN.read_pretrained(tmp_path / name, 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 0}, "dim=0 of a text_cnn must be at least 1"),
        ({"dim": 3, "activation": "sine"}, "activation='sine' of a text_cnn must be one of: "),
    ],
)
def test_other_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TextCNN(6, **options, rngs=nnx.Rngs(0))
