import functools
import json
import os
import signal
from concurrent.futures.process import BrokenProcessPool

import joblib
import numpy as np
import pytest
from argmaxability.small_layer import BIAS, SETS, WEIGHT

import sigfft
from sigfft.argmaxability import batches, check
from sigfft.argmaxability.rules import Rule
from sigfft.argmaxability.search import working_set
from sigfft.argmaxability.theory import cyclic
from sigfft.projection import Projection


def forged(**changes):
    """A shard whose first line claims something else."""

    def damage(text):
        first, rest = text.split("\n", 1)
        return json.dumps(json.loads(first) | changes) + "\n" + rest

    return damage


def test_an_error_in_one_batch_costs_that_batch_only(monkeypatch, tmp_path):
    real = working_set.search

    def breaks(system, basis, padded, clock):
        if padded[0, 0] == SETS[3][0]:
            raise MemoryError("no room")
        return real(system, basis, padded, clock=clock)

    sets = [SETS[i] for i in (0, 3, 10)]
    monkeypatch.setattr(working_set, "search", breaks)
    report = check(WEIGHT, sets, batch_size=1, resume_dir=tmp_path)
    broken = np.array([s[0] == SETS[3][0] for s in sets])
    assert (report.status[broken] == "undecided").all()
    assert set(report.reason[broken]) == {"MemoryError: no room"}
    assert (report.status[~broken] != "undecided").all()
    with pytest.raises(MemoryError, match="no room"):
        check(WEIGHT, sets, batch_size=1, on_error="raise")
    monkeypatch.setattr(working_set, "search", real)
    assert "undecided" not in check(WEIGHT, sets, batch_size=1, resume_dir=tmp_path).status


def test_batches_that_the_first_release_finished_are_found(tmp_path):
    check(np.eye(2), [[0], [1]], resume_dir=tmp_path)
    assert [shard.name for shard in tmp_path.iterdir()] == ["71b4d550b0d99fdc0bb80a26757ffcae.jsonl"]


def test_a_broken_run_goes_on_where_it_stopped(monkeypatch, tmp_path):
    real, worked = working_set.search, []

    def interrupted(system, basis, padded, clock):
        worked.append(len(padded))
        if len(worked) == 3:
            raise KeyboardInterrupt
        return real(system, basis, padded, clock=clock)

    monkeypatch.setattr(working_set, "search", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check(WEIGHT, SETS, batch_size=8, resume_dir=tmp_path)
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    report = check(WEIGHT, SETS, batch_size=8, resume_dir=tmp_path)
    assert sum(worked[3:]) == len({tuple(s) for s in SETS}) - 16
    fresh = check(WEIGHT, SETS, batch_size=8)
    np.testing.assert_array_equal(report.status, fresh.status)
    np.testing.assert_array_equal(report.margin, fresh.margin)
    count = len(worked)
    check(WEIGHT * 2, SETS, batch_size=8, resume_dir=tmp_path)
    assert len(worked) > count  # other weights never take these shards


def test_batches_of_the_same_ids_in_other_sets_do_not_share_a_shard(tmp_path):
    rows = cyclic.rows(8, 1)
    check(rows, [[0], [2], [4]], resume_dir=tmp_path)
    assert check(rows, [[0, 2, 4]], resume_dir=tmp_path).status.tolist() == ["unargmaxable"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-40],
        lambda text: text.split("\n", 1)[1],
        forged(status="argmaxable", margin=[0.1, 0.2], witness=[0.0] * WEIGHT.shape[1], certificate=None),
        forged(status="great"),
        forged(margin=[]),
        forged(labels={}),
    ],
)
def test_a_damaged_shard_is_worked_on_again(tmp_path, damage):
    whole = check(WEIGHT, SETS, batch_size=8, resume_dir=tmp_path)
    for shard in tmp_path.iterdir():
        shard.write_text(damage(shard.read_text()))
    again = check(WEIGHT, SETS, batch_size=8, resume_dir=tmp_path, on_error="raise")
    assert again.status.tolist() == whole.status.tolist()
    np.testing.assert_array_equal(again.margin, whole.margin)


def test_verdicts_that_the_disk_refuses_are_kept(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(batches, "write", full)
    with pytest.warns(UserWarning, match="could be kept in .*: No space left"):
        report = check(WEIGHT, SETS, batch_size=8, resume_dir=tmp_path)
    assert report.status.tolist() == check(WEIGHT, SETS).status.tolist()


def test_finished_batches_survive_the_death_of_a_worker(tmp_path, monkeypatch):
    whole = check(WEIGHT, SETS, batch_size=8, resume_dir=tmp_path)
    next(iter(tmp_path.iterdir())).unlink()

    def dies(*_, **__):
        raise RuntimeError("a worker was killed")

    monkeypatch.setattr(joblib.Parallel, "__call__", dies)
    report = check(WEIGHT, SETS, batch_size=8, resume_dir=tmp_path)
    lost = report.reason == "RuntimeError: a worker was killed"
    assert 0 < lost.sum() < len(SETS)
    np.testing.assert_array_equal(report.status[~lost], whole.status[~lost])


def test_a_killed_worker_costs_its_own_batch_only():
    here = os.getpid()

    class Poisoned(Rule):
        def check_sets(self, padded, n_labels):
            if os.getpid() != here and SETS[3] in sigfft.labels.unpack(padded, n_labels):
                os.kill(os.getpid(), signal.SIGKILL)

    whole, rule = check(WEIGHT, SETS), Poisoned("threshold")
    report = check(WEIGHT, SETS, rule=rule, batch_size=4, n_jobs=2)
    lost = report.status == "undecided"
    assert lost[3]
    assert len(np.unique(report.label_sets[lost], axis=0)) == 4
    assert all("TerminatedWorkerError: A worker process" in reason for reason in report.reason[lost])
    np.testing.assert_array_equal(report.status[~lost], whole.status[~lost])
    with pytest.raises(BrokenProcessPool):
        check(WEIGHT, SETS, rule=rule, batch_size=4, n_jobs=2, on_error="raise")


def test_processes_share_the_weights_and_agree_with_one(tmp_path):
    weight = np.random.default_rng(1).standard_normal((2000, 70)).astype(np.float32)  # large enough to be mapped
    sets = [[i, 2 * i + 1] for i in range(20)]
    one, two = check(weight, sets), check(weight, sets, n_jobs=2, batch_size=5, resume_dir=tmp_path)
    np.testing.assert_array_equal(one.status, two.status)
    assert len(list(tmp_path.glob("*.jsonl"))) == 4


def test_a_folder_is_relative_to_the_caller_not_to_its_processes(tmp_path, monkeypatch):
    check(WEIGHT, SETS[:4], n_jobs=2, batch_size=2)  # starts the processes here
    monkeypatch.chdir(tmp_path)
    report = check(WEIGHT, SETS[:4], n_jobs=2, batch_size=2, resume_dir="batches", on_error="raise")
    assert "undecided" not in report.status
    assert len(list((tmp_path / "batches").iterdir())) == 2


@pytest.mark.filterwarnings("ignore")  # of the cluster, not of the package
def test_a_dask_cluster_agrees_with_one_process(monkeypatch, tmp_path):
    distributed = pytest.importorskip("distributed")
    expected, real = check(WEIGHT, SETS, BIAS).status, working_set.search

    def on_a_worker(system, basis, padded, clock):
        distributed.get_worker()  # raises elsewhere
        return real(system, basis, padded, clock=clock)

    monkeypatch.setattr(working_set, "search", on_a_worker)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with (  # on a cluster of one thread joblib would work here
        distributed.LocalCluster(**options, local_directory=str(tmp_path)) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        report = check(WEIGHT, SETS, BIAS, batch_size=10, on_error="raise")
    np.testing.assert_array_equal(report.status, expected)


def test_sets_that_ran_out_of_time_are_worked_on_again_without_a_limit(tmp_path, monkeypatch):
    expected, real = check(WEIGHT, SETS, batch_size=8).status, working_set.search
    monkeypatch.setattr(working_set, "search", functools.partial(real, rounds=0))
    limited = check(WEIGHT, SETS, batch_size=8, time_limit=1e-9, resume_dir=tmp_path)
    assert set(limited.status) == {"undecided"}
    monkeypatch.setattr(working_set, "search", None)  # not called: with a limit, they are as finished as they get
    again = check(WEIGHT, SETS, batch_size=8, time_limit=60, resume_dir=tmp_path, on_error="raise")
    assert set(again.reason) == {"the time limit of 1e-09 s was reached"}
    monkeypatch.setattr(working_set, "search", real)
    report = check(WEIGHT, SETS, batch_size=8, resume_dir=tmp_path, on_error="raise")
    np.testing.assert_array_equal(report.status, expected)
    monkeypatch.setattr(working_set, "search", None)
    np.testing.assert_array_equal(check(WEIGHT, SETS, batch_size=8, resume_dir=tmp_path).status, expected)


def test_batches_of_other_domains_and_projections_do_not_share_a_shard(tmp_path):
    projection = Projection(np.ones((3, 2)), np.zeros(3))
    options = [{}, {"domain": "nonnegative"}, {"domain": (0, 1)}, {"projection": projection}]
    for count, option in enumerate(options, 1):
        check(WEIGHT, SETS[:3], resume_dir=tmp_path, **option)
        assert len(list(tmp_path.iterdir())) == count
        check(WEIGHT, SETS[:3], resume_dir=tmp_path, **option)
        assert len(list(tmp_path.iterdir())) == count
