import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from sigfft.argmaxability import Report, check, verify
from sigfft.argmaxability.proofs.verdicts import Verdict

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


NAMES = [f"<b>{i} & co</b>" for i in range(10)]


class Table(HTMLParser):
    """The cells of a page's rows, and whether every tag is closed in order."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag != "br":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open[-1:] in (["td"], ["th"]):
            self.rows[-1][-1] += text


def test_a_report_is_told_in_a_few_lines():
    report = check(WEIGHT, SETS, BIAS, "threshold", domain="nonnegative")
    verdicts = [replace(verdict, seconds=0.25 if i == 4 else 0.0) for i, verdict in enumerate(report.verdicts)]
    verdicts[2] = Verdict("undecided", (-1.0, 1.0), "none", reason="out of memory")
    report = replace(report, verdicts=verdicts)
    yes, no = (int((report.status == status).sum()) for status in ("argmaxable", "unargmaxable"))
    assert repr(report).splitlines() == [
        f"Report on 7 label sets: {yes} argmaxable, {no} unargmaxable, 1 undecided",
        "threshold rule, 10 labels, 3 dimensions in the domain nonnegative",
        "0.25 s, of which 0.25 s for set 4, [1, 4, 7]",
        "first undecided: set 2, [1, 2]: out of memory",
    ]
    assert "set 2, [one (1), two (2)]: out" in repr(report.named(["", "one", "two", *"3456789"]))
    assert repr(check(WEIGHT, [])).startswith("Report on 0 label sets: 0 argmaxable, 0 unargmaxable, 0 undecided\n")
    assert repr(check(WEIGHT, [range(9)])).endswith(", [0, 1, 2, 3, 4, 5, 6, 7, and 1 more]")


def test_dicts_are_plain_and_hold_each_verdict():
    report = check(WEIGHT, SETS)
    records = json.loads(json.dumps(report.to_dicts()))
    assert [record["labels"] for record in records] == SETS
    assert "names" not in records[0]
    for name in ("status", "method", "seconds", "reason"):
        assert [record[name] for record in records] == getattr(report, name).tolist()
    bounds = [[record["margin_lower"], record["margin_upper"]] for record in records]
    assert bounds == report.margin.tolist()
    for record, witness, certificate in zip(records, report.witness, report.certificate, strict=True):
        assert record["proof_size"] == (len(witness) if certificate is None else len(certificate.labels))
    assert report.named(NAMES).to_dicts()[2]["names"] == ["<b>1 & co</b>", "<b>2 & co</b>"]
    undecided = replace(report, verdicts=[Verdict("undecided", (-1.0, 1.0), "none")] * 7)
    assert undecided.to_dicts()[0]["proof_size"] is None


def test_names_are_shown_and_do_not_change_what_is_saved(tmp_path):
    report = check(WEIGHT, SETS)
    for name, saved in (("plain", report), ("named", report.named(np.array(NAMES)))):
        saved.save(tmp_path / name)
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "named").read_bytes()
    assert report.names is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a"], "one for each of the 10 labels, in their order; given 1 names"),
        ([*NAMES, "a"], "one for each of the 10 labels, in their order; given 11 names"),
        ("abcdefghij", "a sequence of 10 strings, one for each label; given 'abcdefghij'"),
        (dict.fromkeys(range(10), "a"), "a sequence of 10 strings, one for each label; given {0: 'a'"),
        ([*NAMES[:9], 9], "names must be strings; the name of label 9 is 9"),
        (np.arange(10), "names must be strings; the name of label 0 is"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        check(WEIGHT, []).named(names)


def test_a_notebook_shows_an_escaped_table_that_ends():
    report = check(WEIGHT, SETS).named(NAMES)
    page = report._repr_html_()
    assert "<b>" not in page
    assert not any(word in page for word in ("color:#", "<script", "<style", "http"))
    header, *rows = Table(page).rows
    assert header == ["set", "labels", "status", "method", "margin", "seconds", "proof"]
    assert [row[2] for row in rows] == report.status.tolist()
    assert rows[2][1] == "[<b>1 & co</b> (1), <b>2 & co</b> (2)]"
    assert "not shown" not in page
    many = replace(report, label_sets=np.tile(report.label_sets, (300, 1)), verdicts=list(report.verdicts) * 300)
    page = many._repr_html_()
    assert len(Table(page).rows) == 1 + 20
    assert "2,080 more are not shown" in page
    assert Table(check(WEIGHT, [])._repr_html_()).rows == []
