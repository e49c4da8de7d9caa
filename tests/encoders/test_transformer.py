import json
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from sigfft.encoders import Transformer

BERT = Path(__file__).with_name("bert")  # see make_bert.py
N_TOKENS = 19


@pytest.fixture
def bert(tmp_path):
    """A copy that a test may change; `change` is called with its tensors or its config."""
    folder = tmp_path / "bert"
    shutil.copytree(BERT, folder)

    def changed(tensors=None, **config):
        if tensors:
            path = folder / "model.safetensors"
            save_file({name: np.ascontiguousarray(value) for name, value in tensors(load_file(path)).items()}, path)
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | config))
        return folder

    return changed


def test_states_are_those_of_transformers():
    pretrained = Transformer.read_pretrained(BERT, N_TOKENS)
    expected = np.load(BERT / "expected.npz")
    tokens, real = expected["tokens"], expected["tokens"] != 0
    mean, cls = (Transformer(**pretrained.arguments, pooling=pooling, rngs=nnx.Rngs(0)) for pooling in ("mean", "cls"))
    assert jax.tree.structure(nnx.to_pure_dict(nnx.state(mean))) == jax.tree.structure(dict(pretrained.params))
    graphs = [nnx.split(encoder)[0] for encoder in (mean, cls)]
    longer = np.pad(tokens, ((0, 0), (0, 2)))
    masked = {"tokens": np.where(longer == 0, 5, longer), "token_mask": longer != 0}  # padding of any id

    @jax.jit
    def found(params):
        mean, cls = (nnx.merge(graph, params) for graph in graphs)
        states, _ = mean.states({"tokens": tokens})
        return states, mean({"tokens": tokens}), mean(masked), cls(masked)

    states, means, of_masked, firsts = found(pretrained.params)
    np.testing.assert_allclose(states[real], expected["states"][real], rtol=1e-5, atol=5e-6)
    expected_means = np.stack([own[own_real].mean(0) for own, own_real in zip(expected["states"], real, strict=True)])
    for values in (means, of_masked):
        np.testing.assert_allclose(values, expected_means, rtol=1e-5, atol=5e-6)
    np.testing.assert_allclose(firsts, expected["states"][:, 0], rtol=1e-5, atol=5e-6)


def test_other_names_of_the_same_tensors(bert):
    """Of a model around the encoder, of the first checkpoints, and in half precision."""

    def renamed(tensors):
        old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        for new_name, old_name in old.items():
            tensors = {name.replace(new_name, old_name): value for name, value in tensors.items()}
        return {f"bert.{name}": value.astype(np.float16) for name, value in tensors.items()} | {"cls.bias": np.ones(3)}

    found, expected = Transformer.read_pretrained(bert(renamed), 12), Transformer.read_pretrained(BERT, N_TOKENS)
    assert found.arguments == expected.arguments
    assert found.arguments["in_dim"] == N_TOKENS
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3), found.params, expected.params)


QUERY = "encoder.layer.1.attention.self.query.weight"


@pytest.mark.parametrize(
    ("tensors", "config", "message"),
    [
        (
            lambda own: {name: value for name, value in own.items() if name != QUERY},
            {},
            rf"lacks the tensor '{QUERY}', of the shape \(8, 8\)",
        ),
        (
            lambda own: own | {QUERY: own[QUERY][:5]},
            {},
            rf"'{QUERY}' has the shape \(5, 8\); config\.json asks for \(8, 8\)",
        ),
        (lambda own: own | {QUERY: own[QUERY] * np.nan}, {}, rf"{QUERY} must be finite in float32; it holds nan"),
        (None, {"model_type": "roberta"}, "is of a 'roberta' model; a transformer here reads 'bert'"),
        (None, {"position_embedding_type": "relative_key"}, "position_embedding_type must be 'absolute'"),
        (None, {"hidden_size": "8"}, "hidden_size must be a whole number of at least 1; it is '8'"),
        (None, {"vocab_size": 18}, "has embeddings of 18 tokens, and the data's tokenizer has 19"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(bert, tensors, config, message):
    with pytest.raises(ValueError, match=message):
        Transformer.read_pretrained(bert(tensors, **config), N_TOKENS)


def test_a_folder_that_lacks_a_file_is_refused(bert):
    folder = bert()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"holds no model\.safetensors; save the model by save_pretrained"):
        Transformer.read_pretrained(folder, N_TOKENS)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json is not the JSON of a model"):
        Transformer.read_pretrained(folder, N_TOKENS)
    with pytest.raises(ValueError, match=r"must be a folder with config\.json and model\.safetensors"):
        Transformer.read_pretrained(folder / "none", N_TOKENS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "layers=0 of a transformer must be at least 1"),
        ({"attention_heads": 3}, "dim=8 of a transformer must be a multiple of its 3 attention heads"),
        ({"pooling": "max"}, "pooling='max' of a transformer must be mean or cls"),
        ({"mlp_activation": "tanh"}, "mlp_activation='tanh' of a transformer must be one of: gelu"),
    ],
)
def test_other_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Transformer(6, dim=8, **options, rngs=nnx.Rngs(0))


def test_texts_longer_than_the_positions_are_refused():
    tokens = jnp.ones((1, 5), jnp.int32)
    with pytest.raises(
        ValueError,
        match=r"texts of 5 tokens do not fit the 4 positions of the transformer; cut them: data\.max_length=4",
    ):
        nnx.eval_shape(lambda: Transformer(6, dim=8, n_positions=4, rngs=nnx.Rngs(0))({"tokens": tokens}))
