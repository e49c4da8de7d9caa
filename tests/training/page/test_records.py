import numpy as np
import pytest
from run_folders import HEADS, N_LABELS, written

import sigfft
from sigfft import labels
from sigfft.argmaxability.report import Report
from sigfft.training.page.records import FEATURES, THRESHOLDS, Decided, Impossible, Z, read_runs
from sigfft.training.workdir import Workdir


@pytest.fixture(scope="module")
def report():
    weight = np.random.default_rng(3).normal(size=(30, 3)).astype(np.float32)
    sets = [[i, (i * 7 + 3) % 30, (i * 11 + 5) % 30][: 1 + i % 3] for i in range(30)]
    return sigfft.check(weight, labels.pad(sets, 30), np.full(30, 0.1, np.float32))


def test_the_smallest_impossible_sets_come_first_with_their_conflict(report, tmp_path):
    report.save(tmp_path / "v.jsonl.gz")
    decided = Decided.read(tmp_path / "v.jsonl.gz")
    assert decided.status.tolist() == report.status.tolist()
    assert decided.cardinality.tolist() == labels.cardinality(report.label_sets, 30).tolist()
    assert decided.count("unargmaxable") > len(decided.impossible) == 10
    sizes = [len(one.labels) for one in decided.impossible]
    impossible = report.status == "unargmaxable"
    assert sizes == sorted(decided.cardinality[impossible].tolist())[:10]
    assert any(proof is not None and 30 in proof.labels for proof in report.certificate)  # the row of the bias
    conflicts = {(frozenset(on), frozenset(off)) for on, off in report.conflicts()}
    for one in decided.impossible:
        assert set(one.on) <= set(one.labels)
        assert not set(one.off) & set(one.labels)
        assert max(one.off) < 30
        assert (frozenset(one.on), frozenset(one.off)) in conflicts
    assert len(report.conflicts()) == impossible.sum()


def test_labels_of_a_conflict_stand_by_their_share(report, tmp_path):
    i = int((report.status == "unargmaxable").argmax())
    Report(report.layer, report.label_sets[i : i + 1], [report.verdicts[i]]).save(tmp_path / "v.jsonl")
    (one,) = Decided.read(tmp_path / "v.jsonl").impossible
    proof = report.certificate[i]
    share = dict(zip(proof.labels, proof.multipliers, strict=True))
    for side in (one.on, one.off):
        shares = [share[label] for label in side]
        assert shares == sorted(shares, reverse=True)


def test_an_undecided_set_has_its_reason():
    from sigfft.argmaxability.proofs.verdicts import Line, Verdict

    line = Line([1, 2], Verdict("undecided", (-1.0, 1.0), "none", reason="time"), None)
    assert Impossible.of(line) == Impossible((1, 2), reason="time")


def test_a_run_is_read_with_all_its_verdicts(tmp_path):
    (record,) = read_runs([written(tmp_path / "run")])
    assert [head.name for head in record.heads] == list(HEADS)
    assert list(record.heads[0].decided) == [Z, FEATURES, THRESHOLDS]
    assert [line["step"] for line in record.heads[1].curve] == [10, 20, 30, 20]
    assert record.absent == []
    assert (record.told(3), record.told(N_LABELS)) == ("name 3 ​ü (3)", str(N_LABELS))
    Workdir(record.path).verdicts_on_features(HEADS[0]).unlink()
    (record,) = read_runs([record.path])
    assert record.absent == [
        f"verdicts/bottle<i>neck_d2.on_features.jsonl.gz: verdicts of {HEADS[0]} that report.json counts"
    ]
