import numpy as np
import pytest
from sklearn import metrics as sk

from sigfft import labels as label_sets
from sigfft.metrics import area_under_curve, make_histograms


def random_problem(seed, step=None):
    """Scores that know something of the label sets, multiples of `step`; labels 0 and 1 are of none and of all."""
    rng = np.random.default_rng(seed)
    truth = rng.random((50, 9)) < rng.uniform(0.1, 0.6, 9)
    truth[:, :2] = False, True
    scores = (rng.normal(size=truth.shape) + truth * rng.uniform(0, 2, 9)).astype(np.float32)
    return (scores if step is None else np.round(scores / step) * np.float32(step)), truth


def areas(scores, truth, batch=20, **options):
    histograms = make_histograms(truth.shape[1], **options)
    labels, counts = label_sets.pad([np.flatnonzero(row) for row in truth], truth.shape[1]), histograms.init()
    for rows in (slice(i, i + batch) for i in range(0, len(scores), batch)):
        counts = histograms.update(counts, scores[rows], labels[rows], np.ones(len(scores[rows]), bool))
    return area_under_curve(histograms, counts)


@pytest.mark.parametrize("seed", range(3))
def test_equals_scikit_learn_where_scores_are_told_apart(seed):
    scores, truth = random_problem(seed, step=1 / 4)
    found = areas(scores, truth, resolution=1 / 4)
    expected = [sk.roc_auc_score(truth[:, i], scores[:, i]) for i in range(2, 9)]
    assert found.micro == pytest.approx(sk.roc_auc_score(truth.ravel(), scores.ravel()), rel=1e-12)
    assert found.macro == pytest.approx(np.mean(expected), rel=1e-12)
    np.testing.assert_allclose(found.per_label, [np.nan, np.nan, *expected], rtol=1e-12)
    assert (found.without_active, found.without_inactive) == (1, 1)


@pytest.mark.parametrize("options", [{}, {"low": -1, "high": 1}, {"resolution": 1.0}])
def test_other_scores_are_within_the_error_that_is_told(options):
    scores, truth = random_problem(0)
    found = areas(scores, truth, **options)
    micro = sk.roc_auc_score(truth.ravel(), scores.ravel())
    macro = sk.roc_auc_score(truth[:, 2:], scores[:, 2:], average="macro")
    assert 0 < abs(found.micro - micro) <= found.micro_error
    assert 0 < abs(found.macro - macro) <= found.macro_error
    assert areas(scores, truth, resolution=1 / 1024).macro == pytest.approx(macro, abs=1e-3)


def test_by_hand():
    truth = np.array([[1, 0], [1, 0], [0, 0]], bool)
    found = areas(np.array([[2.0, 0.0], [1.0, 0.0], [1.0, 0.0]], np.float32), truth)
    assert found.per_label[0] == found.macro == 3 / 4  # won, and a tie
    assert np.isnan(found.per_label[1])
    assert found.micro == (4 + 3.5) / 8
    assert (found.without_active, found.without_inactive) == (1, 0)


def test_without_pairs_there_is_no_area():
    found = areas(np.zeros((3, 2), np.float32), np.zeros((3, 2), bool))
    assert np.isnan([found.micro, found.macro, found.micro_error, found.macro_error]).all()
    assert found.without_active == 2
