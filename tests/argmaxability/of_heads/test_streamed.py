import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sigfft
from sigfft.argmaxability.of_heads import streamed

SETS = [[], [3], [1, 40, 99], [3], list(range(0, 100, 2))]


HEADS = [sigfft.dft_head(101, 3, feature_dim=4, spread=10), sigfft.bottleneck_head(101, 30, feature_dim=4)]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.kind)
def test_the_report_is_about_the_whole_w_and_its_proofs_hold(head, tmp_path):
    params = head.init(jax.random.key(0))
    report = sigfft.check_head(head, params, SETS, held=1000)
    held = sigfft.check(np.asarray(head.rows(params, jnp.arange(101))), SETS)
    assert report.layer == held.layer
    blocks = streamed.check_streamed(head, params, SETS, block_entries=700)  # of some 20 labels, the last one shorter
    assert (blocks.layer, blocks.status.tolist()) == (held.layer, report.status.tolist())
    assert set(report.method) == {"transform"}
    assert report.status.tolist()[:4] == ["argmaxable"] * 4
    np.testing.assert_array_equal(report.status == "argmaxable", held.status == "argmaxable")
    assert report.deployed.tolist()[:4] == ["argmaxable"] * 4
    report.save(tmp_path / "v.jsonl")
    counts = sigfft.verify(tmp_path / "v.jsonl", np.asarray(head.rows(params, jnp.arange(101))))
    assert counts["argmaxable"] >= 4
    assert counts["unargmaxable"] == 0


def test_a_bias_is_proved_and_named(tmp_path):
    rng = np.random.default_rng(0)
    weight, bias = rng.standard_normal((80, 20)).astype(np.float32), rng.standard_normal(80).astype(np.float32)
    head, params = sigfft.retrofit(weight, bias, 2)
    report = sigfft.check_head(head, params, [[0], [1, 2]], held=1000)
    rows, biases = (np.asarray(f(params, jnp.arange(80))) for f in (head.rows, head.bias))
    assert report.layer == sigfft.check(rows, [[0]], biases).layer
    report.save(tmp_path / "v.jsonl")
    assert sigfft.verify(tmp_path / "v.jsonl", rows, biases)["argmaxable"] == 2


def test_a_false_activation_is_not_believed(monkeypatch):
    head = HEADS[0]
    params = head.init(jax.random.key(0))
    monkeypatch.setattr(streamed, "proposed", lambda head, params, padded, rule: np.ones((len(padded), head.dim)))
    report = streamed.check_streamed(head, params, SETS)
    assert set(report.status) == {"undecided"}
    assert "no activation" in report.reason[0]


def test_what_needs_the_rows_is_refused():
    head = HEADS[0]
    params = head.init(jax.random.key(0))
    with pytest.raises(ValueError, match=r"101 × 27 is too large .* given rule='top_k'"):
        sigfft.check_head(head, params, SETS, "top_k", held=1000)
    with pytest.raises(ValueError, match="n_jobs"):
        sigfft.check_head(head, params, SETS, n_jobs=2, held=1000)
