"""Exports that answer as the model does, and files that are refused."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import sigfft
from sigfft import inference, serving
from sigfft.inference import PredictedSets, TopLabels
from sigfft.serving.batches import padded, specs_of

RNG = np.random.default_rng(0)


def random_params(head, scale):
    shapes = jax.eval_shape(head.init, jax.random.key(0))
    return jax.tree.map(lambda p: jnp.asarray(scale * RNG.standard_normal(p.shape, np.float32)), shapes)


INPUTS = RNG.standard_normal((5, 4), np.float32)
HEAD = sigfft.dft_head(30, 3, feature_dim=6, spread=2)
PARAMS = {
    "encoder": {"layers": [jnp.asarray(RNG.standard_normal((4, 6), np.float32))]},
    "head": random_params(HEAD, 0.4),
}
NAMES = [f"label {i}" for i in range(30)]
THRESHOLDS = np.linspace(-2, 2, 30).astype(np.float32)


def encode(params, inputs):
    assert len(inputs)  # the size of a batch is a number to whoever looks at it
    return jnp.tanh(inputs @ params["layers"][0])


FEATURES = encode(PARAMS["encoder"], INPUTS)
LOGITS = np.asarray(HEAD.logits(PARAMS["head"], FEATURES))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "model.sigfft"
    options = {"top": 7, "max_cardinality": 4, "threshold": THRESHOLDS, "names": NAMES}
    serving.save(path, encode, HEAD, PARAMS, INPUTS[:1], platforms=("cpu", "cuda", "tpu"), **options)
    return path


@pytest.fixture(scope="module")
def served(path):
    return serving.load(path)


def test_what_is_said_is_what_the_model_says(served):
    for size in (5, 1, 0):
        np.testing.assert_allclose(served.logits(INPUTS[:size]), LOGITS[:size], rtol=1e-5, atol=1e-5)
        best = served.top_k(INPUTS[:size])
        assert best.labels.tolist() == np.argsort(-LOGITS[:size], axis=1, kind="stable")[:, :7].tolist()
        np.testing.assert_allclose(best.scores, -np.sort(-LOGITS[:size], axis=1)[:, :7], rtol=1e-5, atol=1e-5)


def test_each_label_has_its_threshold(served):
    found, excess = served.label_sets(INPUTS), LOGITS - THRESHOLDS
    assert found.cardinality.tolist() == (excess > 0).sum(1).tolist()
    assert found.cardinality.max() > 4  # some do not fit
    for ids, own, scores, logits in zip(found.labels, excess, found.scores, LOGITS, strict=True):
        most = [i for i in np.argsort(-logits).tolist() if own[i] > 0][:4]
        assert ids[: len(most)].tolist() == sorted(most)
        assert set(ids[len(most) :].tolist()) <= {30}
        np.testing.assert_allclose(scores[: len(most)], logits[ids[: len(most)]], rtol=1e-5)
        assert np.isneginf(scores[len(most) :]).all()


def test_answers_are_names_and_probabilities(served):
    probabilities = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    for answer, own in zip(served.answer(INPUTS, top=3), probabilities, strict=True):
        assert [name for name, _ in answer] == [NAMES[i] for i in np.argsort(-own)[:3]]
        np.testing.assert_allclose([p for _, p in answer], -np.sort(-own)[:3], rtol=1e-5)
    sets = served.label_sets(INPUTS)
    for answer, ids in zip(served.answer(INPUTS.tolist()), sets.labels, strict=True):
        assert {name for name, _ in answer} == {NAMES[i] for i in ids if i < 30}
        assert [p for _, p in answer] == sorted((p for _, p in answer), reverse=True)
    for top in (0, 8):
        with pytest.raises(ValueError, match=rf"top={top} labels .* saved with top=7: expected 1 \.\. 7"):
            served.answer(INPUTS, top=top)


def test_the_head_comes_back_for_the_checker(served):
    head, params = served.trained_head()
    assert head == HEAD
    jax.tree.map(np.testing.assert_array_equal, params, PARAMS["head"])


KINDS = [
    sigfft.dft_head(400, 3, feature_dim=6, spread=80, slack=2),  # by FFTs of blocks
    sigfft.bottleneck_head(30, 3, feature_dim=6),
]


@pytest.mark.parametrize("head", KINDS, ids=lambda head: head.name)
def test_heads_without_an_encoder(tmp_path, head):
    params = random_params(head, 0.4)
    features = RNG.standard_normal((3, 6), np.float32)
    serving.save(tmp_path / "m", None, head, {"head": params}, features, threshold=0.5, block_size=8)
    served = serving.load(tmp_path / "m")
    logits = np.asarray(head.logits(params, features))
    assert served.top_k(features).labels.tolist() == np.argsort(-logits, axis=1)[:, :10].tolist()
    sets = [np.flatnonzero(row > 0.5).tolist() for row in logits]
    found = served.label_sets(features)
    width = head.max_cardinality or 10
    assert found.cardinality.tolist() == [len(ids) for ids in sets]
    for ids, own in zip(sigfft.labels.unpack(found.labels, head.n_labels), sets, strict=True):
        assert len(ids) == min(len(own), width)
        assert set(ids) <= set(own)
    assert found.labels.shape == (3, width)
    assert served.names is None
    assert served.answer(features, top=1)[0][0].name == str(logits[0].argmax())


def test_functions_of_ones_own_are_serialized_with_their_types():
    def best_and_predicted(features):
        best = inference.top_k(HEAD, PARAMS["head"], features, 2)
        return best, inference.label_sets(HEAD, PARAMS["head"], features, 2)

    exported = export.export(jax.jit(best_and_predicted))(jax.ShapeDtypeStruct((5, 6), jnp.float32))
    best, predicted = export.deserialize(exported.serialize()).call(FEATURES)
    assert isinstance(best, TopLabels)
    assert isinstance(predicted, PredictedSets)
    assert best.labels.tolist() == np.argsort(-LOGITS, axis=1)[:, :2].tolist()
    assert predicted.cardinality.tolist() == (LOGITS > 0).sum(1).tolist()


def test_examples_of_several_arrays(tmp_path):
    def bag(table, examples):
        return jnp.einsum("bw,bwd->bd", examples["values"], table[examples["ids"]])

    examples = {"ids": RNG.integers(0, 9, (3, 2), np.int32), "values": RNG.standard_normal((3, 2), np.float32)}
    table = RNG.standard_normal((9, 6), np.float32)
    head = sigfft.sigmoid_head(30, feature_dim=6)
    params = random_params(head, 1)
    serving.save(tmp_path / "m", bag, head, {"encoder": table, "head": params}, examples)
    served = serving.load(tmp_path / "m")
    expected = head.logits(params, bag(table, examples))
    np.testing.assert_allclose(served.logits(examples), expected, rtol=1e-4, atol=1e-4)
    for bad, message in [
        (INPUTS, r"must be 'ids': int32 \(batch, 2\), 'values': float32 \(batch, 2\); given one array"),
        ({"ids": examples["ids"]}, r"given the keys \['ids'\]"),
        ({**examples, "ids": examples["ids"][:2]}, r"of one length; given \{'ids': 2, 'values': 3\}"),
        ({**examples, "ids": [[0.5, 1]] * 3}, r"'ids': int32 \(batch, 2\); given float64 \(3, 2\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            served.logits(bad)


def test_inputs_of_another_shape_or_dtype(served):
    for bad, message in [
        (INPUTS[:, :3], r"inputs must be float32 \(batch, 4\); given float32 \(5, 3\)"),
        (INPUTS[0], r"given float32 \(4,\)"),
        (INPUTS.astype(np.float64), r"given float64 \(5, 4\)"),
        (INPUTS.astype(np.int32), r"given int32 \(5, 4\)"),
        ({"x": INPUTS}, r"given the keys \['x'\]"),
        ([["a"] * 4], r"given <U1 \(1, 4\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            served.top_k(bad)


@pytest.mark.parametrize(("size", "length"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 4), (5, 8)])
def test_batches_are_padded_to_powers_of_two(size, length):
    batch, given = padded(specs_of(INPUTS), INPUTS[:size])
    assert (len(batch), given) == (length, size)
    np.testing.assert_array_equal(batch[:size], INPUTS[:size])
    assert not batch[size:].any()


@pytest.mark.loose_types
def test_what_cannot_be_saved_leaves_no_file(tmp_path):
    head = {"head": PARAMS["head"]}
    for params, inputs, options, message in [
        (head, INPUTS, {}, r"params must have the keys \['encoder', 'head'\]; given \['head'\]"),
        (PARAMS, np.float32(1), {}, r"inputs must be arrays \(batch, \.\.\.\)"),
        (
            PARAMS,
            INPUTS,
            {"names": NAMES[:-1]},
            "names must be one for each of the 30 labels, in their order; given 29",
        ),
        (PARAMS, INPUTS, {"names": range(30)}, "names must be strings; the name of label 0 is 0"),
        (PARAMS, INPUTS, {"threshold": THRESHOLDS[:3]}, r"threshold must be a number, or one for each label \(30,\)"),
        (PARAMS, INPUTS, {"threshold": np.nan}, "threshold must be a number"),
        (PARAMS, INPUTS, {"top": 0}, "top=0 must be a whole number of at least 1"),
        (PARAMS, INPUTS, {"max_cardinality": 0}, "max_cardinality=0 must be a whole number of at least 1"),
        (PARAMS, INPUTS, {"platforms": ("gpu",)}, r"platforms must be some of cpu, cuda, rocm, tpu; given gpu"),
    ]:
        with pytest.raises(ValueError, match=message):
            serving.save(tmp_path / "m", encode, HEAD, params, inputs, **options)
    with pytest.raises(ValueError, match=r"features of the head .* must be \(\.\.\., 6\); given shape"):
        serving.save(tmp_path / "m", None, HEAD, head, INPUTS)
    with pytest.raises(OSError, match="none"):
        serving.save(tmp_path / "none" / "m", encode, HEAD, PARAMS, INPUTS)
    assert not list(tmp_path.iterdir())


def test_damaged_and_foreign_files(path, tmp_path):
    content, bad = path.read_bytes(), tmp_path / "bad"
    (start,) = (i for i in range(len(content)) if content.startswith(PARAMS["head"]["projection_bias"].tobytes(), i))
    flipped = bytearray(content)
    flipped[start] ^= 1
    for data in (b"", b"text", content[:-1], content[: len(content) // 2], bytes(flipped)):
        bad.write_bytes(data)
        with pytest.raises(ValueError, match="bad is damaged, truncated, or no file that"):
            serving.load(bad)
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("about.json", json.dumps({"kind": "sigfft export", "format": 99}))
    with pytest.raises(ValueError, match="an export of format 99; this version reads up to 1"):
        serving.load(bad)
    np.savez(tmp_path / "arrays.npz", a=THRESHOLDS)
    with pytest.raises(ValueError, match="no file that"):
        serving.load(tmp_path / "arrays.npz")
    with pytest.raises(FileNotFoundError):
        serving.load(tmp_path / "none")


@pytest.mark.parametrize("entry", [{"names": [["a"]] * 6}, {"names": ["a"]}, {"names": 5}, {"inputs": [1]}])
def test_whole_files_with_wrong_entries(path, tmp_path, entry):
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: archive.read(member) for member in archive.infolist()}
    members["about.json"] = json.dumps(json.loads(members["about.json"]) | entry)
    with zipfile.ZipFile(tmp_path / "bad", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=r"bad is not as sigfft\.serving\.save writes it"):
        serving.load(tmp_path / "bad")


def test_every_flipped_byte_is_found_or_changes_nothing(path, tmp_path):
    content, bad = path.read_bytes(), tmp_path / "bad"
    known, told = comparable(serving.archive.read(path)), []
    for at in RNG.choice(len(content), 300, replace=False):
        flipped = bytearray(content)
        flipped[at] ^= 1 << int(RNG.integers(8))
        bad.write_bytes(flipped)
        try:
            assert comparable(serving.archive.read(bad)) == known
        except ValueError as error:
            told.append(str(error))
    assert len(told) > 200
    assert all("is damaged, truncated, or no file" in message for message in told)


def comparable(contents):
    return contents.about, contents.functions, {name: a.tobytes() for name, a in contents.arrays.items()}


def test_arrays_of_any_dtype_come_back(tmp_path):
    values = [jnp.ones((2, 3), jnp.bfloat16), np.zeros((0, 4), np.int8), np.bool_(True), RNG.random((3, 2)).T]
    arrays = {str(i): np.asarray(value) for i, value in enumerate(values)}
    serving.archive.write(tmp_path / "m", serving.archive.Contents({"note": "é"}, arrays, {"f": b"123"}))
    about, read, functions = serving.archive.read(tmp_path / "m")
    assert (about["note"], functions) == ("é", {"f": b"123"})
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_a_file_for_other_platforms_says_so(tmp_path):
    serving.save(tmp_path / "m", None, HEAD, {"head": PARAMS["head"]}, FEATURES, platforms=("tpu",))
    with pytest.raises(ValueError, match=r"for tpu, and this process runs on cpu; .*platforms=\('tpu', 'cpu'\)"):
        serving.load(tmp_path / "m")


def test_a_server_imports_no_training_code(path):
    code = f"""
import sys, numpy as np, sigfft.serving
served = sigfft.serving.load({str(path)!r})
print(served.answer(np.ones((2, 4), np.float32), top=1)[0][0].name)
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "XLA_FLAGS": ""}
    )
    assert done.returncode == 0, done.stderr
    name, modules = done.stdout.splitlines()
    logits = HEAD.logits(PARAMS["head"], encode(PARAMS["encoder"], np.ones((1, 4), np.float32)))
    assert name == NAMES[int(logits[0].argmax())]
    loaded = {module.split(".")[0] for module in modules.split()}
    assert not loaded & {"flax", "optax", "orbax", "grain", "tensorflow_datasets", "tensorboardX", "ml_collections"}
    assert not {m for m in modules.split() if m.startswith(("sigfft.training", "sigfft.data", "sigfft.linen"))}


def test_no_pickle_is_read_or_written():
    for source in Path(serving.__file__).parent.glob("*.py"):
        assert "import pickle" not in source.read_text(encoding="utf-8")
