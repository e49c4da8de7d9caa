import numpy as np
import pytest
import scipy.optimize
from argmaxability.claims import certificate_holds, system_of, witness_holds

from sigfft.argmaxability.search import lp
from sigfft.argmaxability.search.basis import Basis

NONE = np.zeros(0, int)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("rule", ["threshold", "top_k"])
def test_it_proves_both_verdicts_from_no_rows_at_all(seed, with_bias, rule):
    rng = np.random.default_rng(seed)
    weight, bias = rng.standard_normal((40, 4)), rng.standard_normal(40) if with_bias else None
    z = rng.standard_normal(4)
    logits = weight @ z + (0 if bias is None else bias)
    reached = np.sort(np.flatnonzero(logits > 0) if rule == "threshold" else np.argsort(-logits)[:9])
    system = system_of(weight, bias, rule)
    padded = system.layer.pad([reached.tolist(), rng.choice(40, 7, replace=False).tolist()])
    basis = Basis.of(system)
    found = lp.max_margin(system, basis, padded[0], NONE)
    assert witness_holds(weight, bias, rule, reached.tolist(), system.witness(found.solution))
    assert 0 < found.lower <= found.upper
    labels = padded[1][padded[1] < 40].tolist()
    found = lp.max_margin(system, basis, padded[1], NONE)
    assert certificate_holds(weight, bias, rule, labels, found.certificate)


@pytest.mark.parametrize("margin", [1e-4, 1e-7, 2e-9, 1.1e-9, 5e-11])
def test_margins_below_the_tolerance_of_the_solver_are_resolved(margin):
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((9, 8)) * (np.arange(8) > 0)
    rows[-1] = -rows[:-1].sum(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[:, 0] = margin
    system = system_of(rows)
    found = lp.max_margin(system, Basis.of(system), np.arange(9), NONE)
    assert witness_holds(rows, None, "threshold", list(range(9)), found.solution)
    assert found.lower <= margin <= found.upper * (1 + 1e-9)
    assert found.lower > 0.5 * margin
    assert found.upper < 2 * margin


def test_a_solver_that_fails_is_never_a_verdict(monkeypatch):
    failed = scipy.optimize.OptimizeResult(status=4, x=None, message="numerical difficulties")
    monkeypatch.setattr(scipy.optimize, "linprog", lambda *_, **__: failed)
    system = system_of(np.eye(2))
    with pytest.raises(RuntimeError, match="numerical difficulties"):
        lp.max_margin(system, Basis.of(system), np.array([0]), NONE)
