import itertools

import numpy as np
import pytest
from argmaxability.claims import system_of

from sigfft import labels
from sigfft.argmaxability import check
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.witness import proves_witnesses
from sigfft.argmaxability.search import braid_reflect, enumerate_sets
from sigfft.argmaxability.search.probe import best_directions

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((7, 2))
BIAS = 0.3 * RNG.standard_normal(7)


def test_probing_reaches_wide_regions():
    system = system_of(RNG.standard_normal((6, 6)), None)
    padded = system.layer.pad([[0, 1], [2], [3, 4, 5], []])
    found = best_directions(system, padded, n_directions=512)
    solutions = np.stack([f.solution for f in found])
    np.testing.assert_allclose(np.linalg.norm(solutions, axis=1), 1.0)
    assert (system.margins(padded, solutions).min(axis=1) > 0).sum() >= 3


def test_chunks_give_the_same_directions_as_one_pass():
    system = system_of(WEIGHT, BIAS)
    padded = system.layer.pad([[i] for i in range(7)])
    whole = best_directions(system, padded, n_directions=8, seed=1)
    of_7_labels_and_a_bias = 3 * 8 * 8  # chunks of 3, 3 and 1 sets
    parts = best_directions(system, padded, n_directions=8, seed=1, logits_at_once=of_7_labels_and_a_bias)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.solution, other.solution, atol=1e-6)


@pytest.mark.parametrize(("rule", "k"), [("threshold", 0), ("argmax", 1), ("top_k", 3)])
@pytest.mark.parametrize("bias", [None, BIAS])
def test_enumeration_finds_the_argmaxable_sets_of_a_small_layer_and_no_others(rule, k, bias):
    sizes = range(8) if rule == "threshold" else [k]
    everything = [list(s) for size in sizes for s in itertools.combinations(range(7), size)]
    report = check(WEIGHT, everything, bias, rule)
    expected = {tuple(s) for s, status in zip(everything, report.status, strict=True) if status == "argmaxable"}
    padded, witnesses = enumerate_sets(WEIGHT, bias, rule, cardinality=k, n_directions=20_000)
    assert proves_witnesses(Layer.of(WEIGHT, bias, rule), padded, witnesses).all()
    found = [tuple(s) for s in labels.unpack(padded, 7)]
    assert len(set(found)) == len(found)
    assert set(found) <= expected
    assert len(found) >= len(expected) - 1 > 3  # the narrowest region may be missed


def test_enumeration_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match=r"cardinality must be in 0 \.\. 7; given 8"):
        enumerate_sets(WEIGHT, None, "top_k", cardinality=8)
    with pytest.raises(ValueError, match="n_directions must be at least 1; given 0"):
        enumerate_sets(WEIGHT, n_directions=0)


@pytest.mark.parametrize("bias", [None, BIAS])
def test_braid_reflection_agrees_with_the_checker(bias):
    found, witnesses = braid_reflect(WEIGHT, np.arange(7), bias)
    logits = witnesses @ WEIGHT.T + (0 if bias is None else bias)
    assert (logits.argmax(axis=1)[found] == np.flatnonzero(found)).all()
    status = check(WEIGHT, [[i] for i in range(7)], bias, "argmax").status
    assert (status[found] == "argmaxable").all()
    assert 0 < found.sum() >= (status == "argmaxable").sum() - 1
    assert not found.all()
