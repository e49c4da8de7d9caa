import json

import numpy as np
import pytest

from sigfft.argmaxability import Report, check, verify

RNG = np.random.default_rng(0)
WEIGHT, BIAS = RNG.standard_normal((10, 3)).astype(np.float32), RNG.standard_normal(10).astype(np.float32)
SETS = [[], [0], [1, 2], [2, 3], [1, 4, 7], [5, 6, 8], [0, 1, 2, 3]]


@pytest.mark.parametrize("bias", [None, BIAS])
@pytest.mark.parametrize("rule", ["threshold", "top_k"])
def test_what_is_saved_reads_back_to_the_same_bits_and_verifies(bias, rule, tmp_path):
    report = check(WEIGHT, SETS, bias, rule)
    report.save(tmp_path / "verdicts.jsonl")
    loaded = Report.load(tmp_path / "verdicts.jsonl")
    assert loaded.layer == report.layer
    np.testing.assert_array_equal(loaded.label_sets, report.label_sets)
    for name in ("status", "margin", "method", "seconds", "reason"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(report, name))
    assert loaded.certificate == report.certificate
    for ours, theirs in zip(report.witness, loaded.witness, strict=True):
        assert (ours is None and theirs is None) or ours.tobytes() == theirs.tobytes()
    counts = report.counts()
    del counts["checked"]
    assert verify(tmp_path / "verdicts.jsonl", WEIGHT, bias) == counts


def test_a_line_is_the_documented_record(tmp_path):
    check(WEIGHT, [[1, 2]]).save(tmp_path / "verdicts.jsonl")
    record = json.loads((tmp_path / "verdicts.jsonl").read_text())
    assert record["labels"] == [1, 2]
    assert record["rule"] == "threshold"
    assert (record["n_labels"], record["dim"], record["bias"]) == (10, 3, None)
    assert record["weight"]["dtype"] == "float32"
    assert len(record["weight"]["sha256"]) == 64
    assert set(record) == {
        *("labels", "status", "margin", "method", "witness", "certificate", "seconds", "reason"),
        *("rule", "n_labels", "dim", "weight", "bias", "sets"),
    }


def test_saving_is_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "verdicts.jsonl"
    path.write_text("before\n")
    report = check(WEIGHT, SETS)
    monkeypatch.setattr(report.verdicts[3].__class__, "reason", property(lambda _: 1 / 0), raising=False)
    with pytest.raises(ZeroDivisionError):
        Report(report.layer, report.label_sets, report.verdicts).save(path)
    assert path.read_text() == "before\n"
    assert list(tmp_path.iterdir()) == [path]


def test_the_table_counts_by_cardinality():
    report = check(WEIGHT, SETS)
    lines = report.table().splitlines()
    assert [line.split()[0] for line in lines] == ["labels", "0", "1", "2", "3", "4", "all"]
    assert lines[-1].split()[1:5] == [str(report.counts()[name]) for name in report.counts()]
    assert "all" in check(WEIGHT, []).table()


def changed(line, **fields):
    return json.dumps(json.loads(line) | fields)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda lines: [lines[0], lines[1][:40]], "line 2: not a JSON object; the file may be truncated"),
        (lambda lines: [lines[0].replace('"margin"', '"margins"')], "line 1: has no 'margin'"),
        (lambda lines: [], "holds no verdict"),
        (lambda lines: ["null", *lines[1:]], "line 1: not a JSON object: None"),
        (lambda lines: [changed(lines[0], margin=[])], "line 1: margin must be a lower"),
        (lambda lines: [changed(lines[0], status="likely")], "line 1: status must be one of"),
        (lambda lines: [changed(lines[0], labels=[[1]])], "line 1: labels must be a list of int"),
        (lambda lines: [changed(lines[0], labels=7)], "line 1: labels must be list; given 7"),
        (lambda lines: [changed(lines[0], witness=[10**400] * 3)], "line 1: witness must be a list"),
        (lambda lines: [changed(lines[0], witness=[1.0])], "line 1: witness must have dim = 3"),
        (lambda lines: [changed(lines[0], seconds="1")], "line 1: seconds must be int or float"),
        (lambda lines: [changed(lines[0], n_labels=None)], "line 1: n_labels must be int"),
        (lambda lines: [changed(line, labels=[10]) for line in lines], "verdicts.jsonl: label id 10"),
        (lambda lines: lines[:-1], "lacks lines: 6 are of a report of 7 sets"),
        (lambda lines: [lines[0].replace("threshold", "top_k"), *lines[1:]], "more than one layer or rule"),
    ],
)
def test_damaged_files_are_refused(damage, message, tmp_path):
    path = tmp_path / "verdicts.jsonl"
    check(WEIGHT, SETS).save(path)
    path.write_text("\n".join(damage(path.read_text().splitlines())))
    with pytest.raises(ValueError, match=message):
        Report.load(path)


def test_files_that_do_not_say_how_many_lines_they_have_are_read(tmp_path):
    path = tmp_path / "verdicts.jsonl"
    check(WEIGHT, SETS).save(path)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({k: v for k, v in r.items() if k != "sets"}) + "\n" for r in records[:3]))
    assert len(Report.load(path)) == 3
    assert sum(verify(path, WEIGHT).values()) == 3
