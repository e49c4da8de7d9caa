import numpy as np
import pytest
import scipy.optimize
from argmaxability.claims import certificate_holds, system_of, witness_holds

from sigfft.argmaxability.search import lp
from sigfft.argmaxability.search.basis import Basis
from sigfft.argmaxability.search.clock import Clock, OutOfTime
from sigfft.argmaxability.search.finding import certify

NONE = np.zeros(0, int)


def solved(system, basis, label_set, clock=None):
    """The optimum of one label set in a basis, from no rows at all."""
    signs = system.signs(label_set[None])[0]
    return lp.max_margin(basis.rows, signs, ~system.silent, NONE, clock or Clock())


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
    found = solved(system, basis, padded[0])
    assert found.margins.min() > 0
    assert witness_holds(weight, bias, rule, reached.tolist(), system.witness(basis.to_solution @ found.x))
    assert system.margins(padded[:1], (basis.to_solution @ found.x)[None]).min() > 0
    labels = padded[1][padded[1] < 40].tolist()
    found = solved(system, basis, padded[1])
    assert found.margins[found.working].min() <= 1e-9
    signed = basis.rows[found.working] * system.signs(padded[1:])[0][found.working, None]
    assert certificate_holds(weight, bias, rule, labels, certify(system, signed, found.multipliers, found.working))


@pytest.mark.parametrize("margin", [1e-4, 1e-7, 2e-9])
def test_margins_above_the_tolerance_of_the_solver_are_resolved(margin):
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((9, 8)) * (np.arange(8) > 0)
    rows[-1] = -rows[:-1].sum(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[:, 0] = margin
    system = system_of(rows)
    found = lp.max_margin(system.units, np.ones(9), np.ones(9, bool), NONE, Clock())
    assert found.margins.min() == pytest.approx(margin, rel=0.1)
    assert found.multipliers.sum() == pytest.approx(1)
    upper = np.linalg.norm(found.multipliers @ system.units[found.working])
    assert margin * (1 - 1e-6) <= upper < 2 * margin


@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_is_that_over_all_rows_and_its_multipliers_say_so(seed):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((300, 5))
    signs = np.sign(rows @ rng.standard_normal(5))
    asks = rng.random(300) < 0.9
    found = lp.max_margin(rows, signs, asks, np.array([7, 290]), Clock())
    assert np.isinf(found.margins[~asks]).all()
    assert asks[found.working].all()
    assert len(found.working) < asks.sum()
    assert (np.abs(found.x) <= 1 + 1e-9).all()
    np.testing.assert_allclose(found.margins[asks], (signs[:, None] * rows @ found.x)[asks])
    assert found.margins.min() > 0  # which ends it
    held = signs[found.working, None] * rows[found.working]
    assert found.margins[found.working].min() <= np.abs(found.multipliers @ held).sum() * (1 + 1e-9)
    assert (found.multipliers >= 0).all()


def test_rows_that_contradict_each_other_end_it_at_once():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((300, 5))
    rows[290] = -rows[7]
    found = lp.max_margin(rows, np.ones(300), np.ones(300, bool), np.array([7, 290]), Clock())
    assert len(found.working) <= 8
    assert found.margins[found.working].min() <= 1e-9
    np.testing.assert_allclose(found.multipliers @ rows[found.working], 0, atol=1e-9)


def test_a_solver_that_fails_is_never_an_optimum(monkeypatch):
    asked = []

    def failed(*_, options, **__):
        asked.append(options["primal_feasibility_tolerance"])
        return scipy.optimize.OptimizeResult(status=4, x=None, message="numerical difficulties")

    monkeypatch.setattr(scipy.optimize, "linprog", failed)
    system = system_of(np.eye(2))
    with pytest.raises(lp.NoAnswer, match="numerical difficulties"):
        solved(system, Basis.of(system), np.array([0]))
    assert asked == 2 * sorted(set(asked))
    assert len(asked) > 4  # it was asked for less each time, and once more for all of that


def test_it_stops_when_time_is_up(monkeypatch):
    system = system_of(np.eye(2))
    with pytest.raises(OutOfTime):
        solved(system, Basis.of(system), np.array([0]), Clock(0.0))

    class Once(Clock):
        """Time enough to begin, none to end."""

        def look(self):
            object.__setattr__(self, "look", self.over)

        def over(self):
            raise OutOfTime

        left = 0.0

    limits = []

    def stopped(*_, options, **__):
        limits.append(options["time_limit"])
        return scipy.optimize.OptimizeResult(status=1, x=None, message="time limit reached")

    monkeypatch.setattr(scipy.optimize, "linprog", stopped)
    with pytest.raises(OutOfTime):
        solved(system, Basis.of(system), np.array([0]), Once())
    assert limits == [1e-3]


def test_a_program_that_goes_in_circles_is_given_up(monkeypatch):
    system = system_of(np.random.default_rng(0).standard_normal((40, 4)), None, "threshold")
    label_set = system.layer.pad([[1, 5]])[0]
    assert solved(system, Basis.of(system), label_set).margins.shape == (40,)
    asked = []
    solve = scipy.optimize.linprog
    monkeypatch.setattr(scipy.optimize, "linprog", lambda *a, **k: asked.append(k["options"]) or solve(*a, **k))
    monkeypatch.setattr(lp, "_PIVOTS", (0, 0))
    with pytest.raises(lp.NoAnswer, match="without an answer"):
        solved(system, Basis.of(system), label_set)
    assert [options["maxiter"] for options in asked] == [0] * 2 * len(lp._TOLERANCES)
