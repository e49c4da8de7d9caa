import json

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

import sigfft
from sigfft import cli

RANDOM = np.random.default_rng(0)
WEIGHT, BIAS = RANDOM.standard_normal((24, 3)).astype(np.float32), RANDOM.standard_normal(24).astype(np.float32)


@pytest.mark.parametrize("bias", [BIAS, None])
@pytest.mark.parametrize("extra", [0, 5])
def test_logits_are_the_old_layers(bias, extra):
    head, params = sigfft.retrofit(WEIGHT, bias, 2, spread=4, extra_features=extra)
    features = RANDOM.standard_normal((7, 3 + extra)).astype(np.float32)
    expected = features[:, :3] @ WEIGHT.T + (0 if bias is None else bias)
    np.testing.assert_allclose(head.logits(params, jnp.asarray(features)), expected, atol=1e-5)
    assert head.feature_dim == 3 + extra
    assert head.max_cardinality == 2


def test_what_it_buys():
    sets = [[i, j] for i in range(0, 24, 3) for j in range(i + 1, 24, 4)]
    head, params = sigfft.retrofit(WEIGHT, BIAS, 2, spread=4)
    before, after = sigfft.check(WEIGHT, sets, BIAS), sigfft.check_head(head, params, sets)
    assert before.counts()["unargmaxable"] > len(sets) // 2
    for truth in (after.ideal, after.stored, after.deployed):
        assert (truth == "argmaxable").all()


def test_every_part_learns_from_where_it_starts():
    head, params = sigfft.retrofit(WEIGHT, BIAS, 2, spread=4)
    features, labels = jnp.ones((2, 3)), jnp.array([[1, 5], [3, 24]])
    gradient = jax.grad(lambda p: sigfft.losses.bce(head, p, features, labels))(params)
    assert set(gradient) == {"weight", "bias", "projection_kernel", "projection_bias"}
    for name, value in gradient.items():
        assert jnp.abs(value).max() > 1e-4, name


def test_a_saved_head_is_the_same_head(tmp_path):
    head, params = sigfft.retrofit(WEIGHT, BIAS, 2, spread=4, order=np.roll(np.arange(24), 3))
    sigfft.save_head(tmp_path / "head.safetensors", head, params)
    again, loaded = sigfft.load_head(tmp_path / "head.safetensors")
    z = jax.random.normal(jax.random.key(0), (3, head.dim))
    np.testing.assert_array_equal(again.decode(loaded, z), head.decode(params, z))
    save_file({"weight": WEIGHT}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="holds tensors but no head"):
        sigfft.load_head(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("text")
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        sigfft.load_head(tmp_path / "text.safetensors")


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("dct", {"n_labels": 4}, "unknown kind of head 'dct'; the kinds are bottleneck, dft, retrofit, sigmoid"),
        ("sigmoid", {"n_label": 4}, "a sigmoid head cannot be made from {'n_label': 4}"),
        ("sigmoid", {"n_labels": 5, "feature_dim": 3}, "expected the parameters of its sigmoid head"),
    ],
)
def test_files_that_hold_no_head(tmp_path, kind, arguments, message):
    path = tmp_path / "head.safetensors"
    tensors = {"weight": np.zeros((4, 3), np.float32), "bias": np.zeros(4, np.float32)}
    save_file(tensors, path, {"kind": kind, "arguments": json.dumps(arguments)})
    with pytest.raises(ValueError, match=message):
        sigfft.load_head(path)


def test_retrofit_command_on_a_file_of_another_framework(tmp_path, capsys):
    save_file(
        {"classifier.weight": WEIGHT.astype(ml_dtypes.bfloat16), "classifier.bias": BIAS.astype(ml_dtypes.bfloat16)},
        tmp_path / "model.safetensors",
    )
    (tmp_path / "sets.txt").write_text("0,12\n3,9\n")
    arguments = ["retrofit", "--weights", str(tmp_path / "model.safetensors"), "--tensor", "classifier.weight"]
    arguments += ["--bias", "classifier.bias", "--cardinality", "2", "--spread", "4"]
    out = ["--out", str(tmp_path / "head.safetensors")]
    assert cli.main([*arguments, *out, "--sets", str(tmp_path / "sets.txt")]) == 0
    before, after = capsys.readouterr().out.split("after")
    assert "before" in before
    assert "features reach a part of z: 13 of its 16 dimensions are missing" in after
    assert after.splitlines()[-1].split() == ["all", "2", "2", "2", "2", "0"]  # 3 features do not yield them
    _, params = sigfft.load_head(tmp_path / "head.safetensors")
    np.testing.assert_array_equal(params["weight"], WEIGHT.astype(ml_dtypes.bfloat16).astype(np.float32))
    (tmp_path / "far.txt").write_text("0,99\n")
    assert cli.main([*arguments, "--out", str(tmp_path / "far.safetensors"), "--sets", str(tmp_path / "far.txt")]) == 2
    assert "label id 99" in capsys.readouterr().err
    assert not (tmp_path / "far.safetensors").exists()
    assert cli.main([*arguments, "--out", str(tmp_path / "head.npz")]) == 2
    assert "must be a .safetensors file" in capsys.readouterr().err


@pytest.mark.loose_types
@pytest.mark.parametrize(
    ("weight", "bias", "message"),
    [
        (WEIGHT[0], None, r"weight must be \(n_labels, dim\)"),
        (WEIGHT.T, BIAS, "is the weight transposed"),
        (WEIGHT, BIAS[:5], r"bias must be \(n_labels,\) = \(24,\)"),
        (np.full((24, 3), 1e39), None, "weight must be finite in float32"),
    ],
)
def test_layers_that_do_not_fit(weight, bias, message):
    with pytest.raises(ValueError, match=message):
        sigfft.retrofit(weight, bias, 2)
    with pytest.raises(ValueError, match="extra_features=-1 must be"):
        sigfft.retrofit(WEIGHT, None, 2, extra_features=-1)
