"""Label sets checked in shares, as several processes would."""

import jax
import numpy as np
import pytest

import sigfft
from sigfft.argmaxability import check_head
from sigfft.training import processes, shares


@pytest.mark.parametrize("count", [2, 3])
def test_the_whole_of_all_shares_is_the_report_of_one_process(monkeypatch, count):
    head = sigfft.bottleneck_head(12, 3, feature_dim=2)
    params = head.init(jax.random.key(0))
    sets = sigfft.labels.pad([[], [3], [3, 7], [1, 2, 9], [0, 1, 2, 3]], 12)
    alone = check_head(head, params, sets)
    assert {"argmaxable", "unargmaxable"} <= set(alone.status)
    brought = []

    def check(index, gather, params=params):
        monkeypatch.setattr(shares.jax, "process_count", lambda: count)
        monkeypatch.setattr(shares.jax, "process_index", lambda: index)
        monkeypatch.setattr(processes, "gather", gather)
        return shares.check_in_shares(head, params, sets)

    for index in range(1, count):
        assert check(index, brought.append) is None
    whole = check(0, lambda content: [content, *brought])
    for name in ("label_sets", "status", "ideal", "deployed", "features"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(alone, name), name)
    np.testing.assert_array_equal(whole.on_features.status, alone.on_features.status)
    np.testing.assert_allclose(whole.margin, alone.margin)
    other = jax.tree.map(lambda leaf: leaf + 1, params)
    with pytest.raises(ValueError, match="process 1 has other parameters than process 0"):
        check(0, lambda content: [content, *brought], other)
