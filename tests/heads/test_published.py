"""The paper's layers, computed here in NumPy as its PyTorch code does, against the heads that are made of them."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

import sigfft
from sigfft.cli import main
from sigfft.heads.published import load_published

RNG = np.random.default_rng(0)
FEATURES, LABELS = 11, 23
EXAMPLES = RNG.standard_normal((6, FEATURES)).astype(np.float32)


def linear(rows, columns, bound):
    return RNG.uniform(-bound, bound, (rows, columns)).astype(np.float32)


def dft_layer(k=4, slack=3, n_labels=LABELS):
    """Weights as torch.nn.Linear starts them, and the DC bias as the paper's code starts it."""
    arrays = {"proj.weight": linear(2 * k + 1 + slack, FEATURES, FEATURES**-0.5)}
    arrays["proj.bias"] = linear(1, 2 * k + 1 + slack, FEATURES**-0.5)[0]
    arrays["proj.bias"][0] = np.log(k / (n_labels - k)) * np.sqrt(n_labels)
    return arrays | ({"Ws.weight": linear(n_labels, slack, slack**-0.5)} if slack else {})


def dft_forward(arrays, features, n_labels):
    """DC, then pairs times √2 as conjugate complex bins, an orthonormal inverse FFT, its real part, and slack."""
    z = features.astype(np.float64) @ arrays["proj.weight"].T.astype(np.float64) + arrays["proj.bias"]
    slack = arrays["Ws.weight"].shape[1] if "Ws.weight" in arrays else 0
    fixed = z.shape[1] - slack
    pairs = (z[:, 1:fixed] * np.sqrt(2)).reshape(len(z), -1, 2)
    bins = np.concatenate([z[:, :1].astype(complex), pairs[..., 0] - 1j * pairs[..., 1]], axis=1)
    logits = np.fft.ifft(bins, n=n_labels, norm="ortho", axis=-1).real
    return logits + z[:, fixed:] @ arrays["Ws.weight"].T if slack else logits


def bottleneck_layer():
    return {
        "mlp.0.weight": linear(5, FEATURES, 0.3),
        "mlp.0.bias": linear(1, 5, 0.3)[0],
        "mlp.1.weight": linear(LABELS, 5, 0.4),
    }


def bottleneck_forward(arrays, features, n_labels):
    z = features.astype(np.float64) @ arrays["mlp.0.weight"].T + arrays["mlp.0.bias"]
    return z @ arrays["mlp.1.weight"].T.astype(np.float64)


def sigmoid_forward(arrays, features, n_labels):
    return features.astype(np.float64) @ arrays["weight"].T.astype(np.float64) + arrays.get("bias", 0)


def stored(path, arrays, prefix=""):
    save_file({prefix + name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    return path


def same(head, params, expected):
    largest = np.abs(expected).max()
    assert largest > 0.3
    np.testing.assert_allclose(np.asarray(head.logits(params, jnp.asarray(EXAMPLES))), expected, atol=1e-6 * largest)


@pytest.mark.parametrize(
    ("kind", "arrays", "forward"),
    [
        ("dft", dft_layer(k=2), dft_forward),
        ("dft", dft_layer(slack=0), dft_forward),
        ("dft", dft_layer(k=11), dft_forward),  # all frequencies that an odd number of labels has
        ("bottleneck", bottleneck_layer(), bottleneck_forward),
        ("sigmoid", {"weight": linear(LABELS, FEATURES, 0.3), "bias": linear(1, LABELS, 0.3)[0]}, sigmoid_forward),
        ("sigmoid", {"weight": linear(LABELS, FEATURES, 0.3)}, sigmoid_forward),
    ],
)
def test_logits_are_those_of_the_published_layer(tmp_path, kind, arrays, forward):
    expected = forward(arrays, EXAMPLES, LABELS)
    path = stored(tmp_path / "layer.safetensors", arrays)
    head, params = load_published(path, n_labels=LABELS)
    assert (head.kind, head.n_labels, head.feature_dim) == (kind, LABELS, FEATURES)
    assert {name: value.shape for name, value in params.items()} == {
        name: value.shape for name, value in jax.eval_shape(head.init, jax.random.key(0)).items()
    }
    same(head, params, expected)


@pytest.mark.parametrize(("arrays", "forward"), [(dft_layer(), dft_forward), (bottleneck_layer(), bottleneck_forward)])
def test_outputs_of_another_order(tmp_path, arrays, forward):
    order, renumbered = RNG.permutation(LABELS), np.empty((len(EXAMPLES), LABELS))
    renumbered[:, order] = forward(arrays, EXAMPLES, LABELS)
    same(*load_published(stored(tmp_path / "layer.safetensors", arrays), order=order), renumbered)


def test_from_the_command_line_in_a_whole_model(tmp_path, capsys):
    arrays = dft_layer()
    others = {"encoder.out_proj.weight": linear(4, 4, 1), "encoder.embed.weight": linear(9, 4, 1)}
    path = tmp_path / "model.safetensors"
    save_file({f"output_layer.{name}": array for name, array in arrays.items()} | others, path)
    (tmp_path / "order.txt").write_text("".join(f"{i}\n" for i in reversed(range(LABELS))))
    command = f"import --weights {path} --out {tmp_path}/head.safetensors --order {tmp_path}/order.txt --json"
    assert main(command.split()) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["kind"], said["head"]["max_cardinality"], said["head"]["slack"]) == ("dft", 4, 3)
    head, params = sigfft.load_head(tmp_path / "head.safetensors")
    same(head, params, dft_forward(arrays, EXAMPLES, LABELS)[:, ::-1])
    (tmp_path / "order.txt").write_text("0\nb\n")
    assert main(command.split()) == 2
    assert "must hold a label id a line; given 'b' at 2" in capsys.readouterr().err
    assert main([*command.split()[:3], "--out", str(path)]) == 2
    assert "is read here, and would be lost; give another name" in capsys.readouterr().err


BOTTLENECK = bottleneck_layer()


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        (dft_layer(slack=0), {}, "without slack do not tell how many labels it has"),
        (dft_layer(slack=0), {"n_labels": 7}, "lower max_cardinality to at most 3"),
        (dft_layer(), {"n_labels": 7}, "the layer has 23 labels; n_labels=7 was given"),
        (dft_layer(), {"order": [0, 1]}, "order must hold each label 0..22 once"),
        (dft_layer() | {"proj.bias": np.zeros(3, np.float32)}, {}, r"proj.bias \(3,\) must have 2k \+ 1 \+ slack rows"),
        (dft_layer(), {"kind": "bottleneck"}, r"holds no layer .* bottleneck: mlp.1.weight, .* it has Ws.weight"),
        (dft_layer(), {"kind": "dct"}, "kind='dct' must be one of: dft, bottleneck, sigmoid"),
        (dft_layer(), {"prefix": "head"}, "no layer of the paper's code at 'head'"),
        ({"a.weight": linear(3, 2, 1), "b.weight": linear(3, 2, 1)}, {}, r"2 layers of kind 'sigmoid'; .*: 'a.', 'b.'"),
        (BOTTLENECK | {"mlp.0.bias": np.zeros(4, np.float32)}, {}, r"mlp.0.bias \(4,\) .* must share their dim"),
        (BOTTLENECK | {"mlp.0.bias": np.full(5, np.nan, np.float32)}, {}, "mlp.0.bias must be finite"),
        (
            BOTTLENECK | {"mlp.0.bias": np.full(5, 1e300)},
            {},
            "mlp.0.bias must be finite in float32; it holds NaN, infin",
        ),
        ({"weight": linear(3, 2, 1), "bias": np.zeros(2, np.float32)}, {}, "must have one row for each label"),
    ],
)
def test_what_is_no_such_layer_is_told(tmp_path, arrays, options, message):
    path = stored(tmp_path / "layer.safetensors", arrays)
    with pytest.raises(ValueError, match=message):
        load_published(path, **options)


def test_a_pickle_is_not_read_and_the_error_says_how_to_turn_it_into_safetensors(tmp_path):
    path = tmp_path / "model.pt"  # which need not be there: nothing reads it
    with pytest.raises(ValueError, match=r"is a pickle.*torch\.load\('.*model\.pt'.*save_file.*model\.safetensors'"):
        load_published(path)
    with pytest.raises(ValueError, match=r"model\.npz must be a \.safetensors file"):
        load_published(tmp_path / "model.npz")
