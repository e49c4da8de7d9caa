import numpy as np

import sigfft
from sigfft import labels
from sigfft.argmaxability.theory import cyclic
from sigfft.seriation import co_occurrence


def sign_changes(sets, order):
    points = [[int(order[i]) for i in s] for s in sets]
    return cyclic.sign_changes(labels.pad(points, len(order)), len(order)).sum()


def test_a_hidden_band_is_found_again():
    random = np.random.default_rng(0)
    hidden = random.permutation(40)
    sets = [hidden[i : i + 3].tolist() for i in range(37) for _ in range(2)]
    order = sigfft.label_order(sets, 40)
    assert sorted(order) == list(range(40))
    assert sign_changes(sets, order) == 2 * len(sets)
    assert sign_changes(sets, np.arange(40)) > 4 * len(sets)


def test_components_lone_labels_and_labels_that_never_occur():
    sets = [[7, 2], [2, 9], [4, 1], [3], []]
    order = sigfft.label_order(sets, 12)
    assert sorted(order) == list(range(12))
    assert sign_changes(sets, order) == 2 * 4
    np.testing.assert_array_equal(order, sigfft.label_order(sets, 12))
    assert sorted(sigfft.label_order([], 3)) == [0, 1, 2]


def test_the_order_is_the_heads():
    sets = [[0, 5], [5, 9], [9, 3]]
    order = sigfft.label_order(sets, 10)
    head = sigfft.dft_head(10, 1, feature_dim=2, order=order)
    assert (sigfft.argmaxability.of_heads.head_report.ideal(head, labels.pad(sets, 10)) == "argmaxable").all()


def test_co_occurrence_counts_examples():
    together = co_occurrence([[0, 1, 2], [1, 2], [2]], 4).toarray()
    np.testing.assert_array_equal(together, [[0, 1, 1, 0], [1, 0, 2, 0], [1, 2, 0, 0], [0, 0, 0, 0]])
