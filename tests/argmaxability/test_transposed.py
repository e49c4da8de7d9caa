"""Kernels as Flax stores them, (dim, n_labels): the same verdicts, and a hint where nobody said so."""

import numpy as np
import pytest

import sigfft

RNG = np.random.default_rng(0)
WEIGHT, BIAS = RNG.standard_normal((8, 3)).astype(np.float32), RNG.standard_normal(8).astype(np.float32)
KERNEL = np.ascontiguousarray(WEIGHT.T)
SETS = [[], [0], [1, 6], [2, 3, 7]]
LOOKS, GIVE = "the weight looks like ", "give transposed=True if it is"


@pytest.mark.parametrize("bias", [None, BIAS])
def test_a_kernel_has_the_verdicts_of_its_weight_and_their_file(bias, tmp_path):
    report, of_kernel = sigfft.check(WEIGHT, SETS, bias), sigfft.check(KERNEL, SETS, bias, transposed=True)
    assert of_kernel.layer == report.layer
    assert of_kernel.status.tolist() == report.status.tolist()
    of_kernel.save(tmp_path / "v.jsonl")
    counts = sigfft.verify(tmp_path / "v.jsonl", KERNEL, bias, SETS, transposed=True)
    assert counts == sigfft.verify(tmp_path / "v.jsonl", WEIGHT, bias, SETS)
    with pytest.raises(sigfft.VerificationError, match=f"line 1: n_labels is 8, but 3 was given.*{LOOKS}.*{GIVE}"):
        sigfft.verify(tmp_path / "v.jsonl", KERNEL)
    with pytest.raises(sigfft.VerificationError, match="leave out transposed=True"):
        sigfft.verify(tmp_path / "v.jsonl", WEIGHT, transposed=True)


def test_a_square_weight_is_told_by_its_values(tmp_path):
    square = WEIGHT[:3]
    sigfft.check(square, [[0]]).save(tmp_path / "v.jsonl")
    sigfft.verify(tmp_path / "v.jsonl", square.T, transposed=True)
    with pytest.raises(sigfft.VerificationError, match=GIVE):
        sigfft.verify(tmp_path / "v.jsonl", square.T)
    with pytest.raises(sigfft.VerificationError, match=r"about other weights$"):
        sigfft.verify(tmp_path / "v.jsonl", square + 1)


def test_whatever_asks_about_a_layer_takes_its_kernel():
    explained = sigfft.explain(KERNEL, SETS[3], BIAS, transposed=True)
    assert str(explained) == str(sigfft.explain(WEIGHT, SETS[3], BIAS))
    near = sigfft.nearest(KERNEL, SETS[3], BIAS, transposed=True)
    assert near.labels == sigfft.nearest(WEIGHT, SETS[3], BIAS).labels
    assert sigfft.coverage(KERNEL, 2, BIAS, transposed=True) == sigfft.coverage(WEIGHT, np.int64(2), BIAS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sigfft.check(KERNEL, SETS), f"label id 6 in set 2 is not one of the 3 labels.*{GIVE}"),
        (lambda: sigfft.check(KERNEL, sigfft.labels.pad(SETS, 8)), f"not one of the 3 labels.*{GIVE}"),
        (lambda: sigfft.check(KERNEL, [[0]], BIAS), rf"bias must be \(n_labels,\) = \(3,\); given .*{GIVE}"),
        (lambda: sigfft.check(WEIGHT, [[0]], BIAS, transposed=True), "leave out transposed=True if it is"),
        (lambda: sigfft.check(WEIGHT, [[5]], transposed=True), "leave out transposed=True if it is"),
        (lambda: sigfft.explain(KERNEL, [7]), GIVE),
        (lambda: sigfft.nearest(KERNEL, np.array([7])), GIVE),
        (lambda: sigfft.coverage(KERNEL, 2, BIAS), GIVE),
    ],
)
def test_a_layer_that_looks_transposed_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: sigfft.check(KERNEL, [[8]]),  # fits neither axis
        lambda: sigfft.check(WEIGHT, [[8]]),
        lambda: sigfft.check(KERNEL, [[0]], BIAS[:5]),
        lambda: sigfft.check(np.zeros((3, 0)), [[0]], transposed=True),
    ],
)
def test_what_fits_neither_way_gets_no_hint(call):
    with pytest.raises(ValueError, match=r"must be|is not one of") as caught:
        call()
    assert "looks like" not in str(caught.value)


def test_a_head_makes_its_own_rows():
    head = sigfft.bottleneck_head(3, 3, feature_dim=2)
    with pytest.raises(ValueError, match="a head makes its own rows; leave out transposed="):
        sigfft.check_head(head, {}, [[0]], transposed=True)
