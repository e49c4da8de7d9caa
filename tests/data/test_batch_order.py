import itertools

import numpy as np
import pytest

from sigfft.data.pipeline import BatchOrder


def stream(order, steps=None):
    return np.concatenate([order[step] for step in range(len(order) if steps is None else steps)])


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("num_epochs", [1, 3])
@pytest.mark.parametrize(("n_points", "batch_size"), [(10, 4), (12, 4), (3, 8)])
def test_every_point_once_an_epoch(n_points, batch_size, num_epochs, shuffle):
    order = BatchOrder(n_points, batch_size, seed=1, shuffle=shuffle, num_epochs=num_epochs)
    points = stream(order)
    assert len(points) % batch_size == 0
    assert (points[n_points * num_epochs :] == n_points).all()
    for epoch in range(num_epochs):
        one = points[epoch * n_points : (epoch + 1) * n_points]
        assert sorted(one) == list(range(n_points))
        assert shuffle or (one == np.arange(n_points)).all()


def test_epochs_and_seeds_have_their_own_order():
    points = [
        tuple(BatchOrder(50, 50, seed=seed, shuffle=True, num_epochs=2)[step]) for seed in (0, 1) for step in (0, 1)
    ]
    assert len(set(points)) == 4


def test_without_end():
    order = BatchOrder(10, 4, shuffle=True, num_epochs=None)
    assert sorted(stream(order, 5)) == sorted([*range(10)] * 2)
    assert order[10**12].shape == (4,)
    with pytest.raises(IndexError):
        order[-1]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("process_count", [2, 4, 8])
def test_processes_split_the_global_batch(process_count, shuffle):
    options = {"seed": 3, "shuffle": shuffle, "num_epochs": 2}
    whole = BatchOrder(21, 8, **options)
    shares = [
        BatchOrder(21, 8, **options, process_index=index, process_count=process_count) for index in range(process_count)
    ]
    assert {len(share) for share in shares} == {len(whole)}
    for step in range(len(whole)):
        parts = [share[step] for share in shares]
        assert {part.shape for part in parts} == {(8 // process_count,)}
        assert sorted(np.concatenate(parts)) == sorted(whole[step])
    epoch = [set(stream(share)[: 16 // process_count]) for share in shares]
    assert not any(a & b for a, b in itertools.combinations(epoch, 2))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 6, "process_count": 4}, "batch_size=6 must be a multiple of process_count=4"),
        ({"process_index": 2, "process_count": 2}, "process_index=2 must be below process_count=2"),
        ({"process_index": -1, "process_count": 2}, "process_index=-1"),
        ({"process_count": 0}, "process_count=0"),
        ({"num_epochs": 0}, "num_epochs=0"),
        ({"seed": -1}, "seed=-1"),
        ({"n_points": 0}, "n_points=0 must be at least 1"),
    ],
)
def test_impossible_arguments(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        BatchOrder(**{"n_points": 10, "batch_size": 4, **options})
