import numpy as np
import pytest
import scipy.optimize
from argmaxability.claims import system_of, witness_holds

from sigfft.argmaxability.search import lp
from sigfft.argmaxability.search.clock import Clock, OutOfTime

NONE = np.zeros(0, int)


def solve(system, padded, working=NONE, clock=None):
    """The optimum over the unit rows of a system, without another basis."""
    return lp.max_margin(system.units, system.signs(padded[None])[0], ~system.silent, working, clock or Clock())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("rule", ["threshold", "top_k"])
def test_it_separates_or_names_rows_that_cancel_from_no_rows_at_all(seed, with_bias, rule):
    rng = np.random.default_rng(seed)
    weight, bias = rng.standard_normal((40, 4)), rng.standard_normal(40) if with_bias else None
    z = rng.standard_normal(4)
    logits = weight @ z + (0 if bias is None else bias)
    reached = np.sort(np.flatnonzero(logits > 0) if rule == "threshold" else np.argsort(-logits)[:9])
    system = system_of(weight, bias, rule)
    padded = system.layer.pad([reached.tolist(), rng.choice(40, 7, replace=False).tolist()])
    found = solve(system, padded[0])
    assert found.margins.min() > 0
    assert witness_holds(weight, bias, rule, reached.tolist(), system.witness(found.x))
    found = solve(system, padded[1])
    signed = system.units[found.working] * system.signs(padded[1:])[0][found.working, None]
    assert found.multipliers.min() >= 0
    assert found.multipliers.sum() == pytest.approx(1.0)
    assert np.abs(found.multipliers @ signed).max() < 1e-9


def test_rows_that_the_optimum_breaks_join_the_working_set():
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((300, 5))
    system = system_of(weight)
    padded = system.layer.pad([np.flatnonzero(weight @ rng.standard_normal(5) > 0).tolist()])
    found = solve(system, padded[0])
    everything = solve(system, padded[0], np.arange(300))
    assert 6 < len(found.working) < 300
    assert len(everything.working) == 300
    assert found.margins.min() > 0
    assert everything.margins.min() > 0


def test_zero_rows_ask_nothing():
    system = system_of(np.array([[1.0, 0], [0, 0], [0, 1]]))
    found = solve(system, np.array([0, 2]))
    assert found.margins[1] == np.inf
    assert 1 not in found.working


def test_a_solver_that_fails_is_never_an_optimum(monkeypatch):
    failed = scipy.optimize.OptimizeResult(status=4, x=None, message="numerical difficulties")
    monkeypatch.setattr(scipy.optimize, "linprog", lambda *_, **__: failed)
    system = system_of(np.eye(2))
    with pytest.raises(lp.NoAnswer, match="numerical difficulties"):
        solve(system, np.array([0]))


def test_no_time_is_left():
    system = system_of(np.eye(2))
    with pytest.raises(OutOfTime):
        solve(system, np.array([0]), clock=Clock(0.0))
