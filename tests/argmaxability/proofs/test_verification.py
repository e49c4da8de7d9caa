import json

import numpy as np
import pytest

from sigfft.argmaxability import Report
from sigfft.argmaxability.layer import array_digest
from sigfft.argmaxability.proofs.verification import VerificationError, verify

WEIGHT = np.array([[1.0, 0], [2, 0], [0, 1]], np.float32)


def verdict(weight, labels, status, margin, witness=None, certificate=None, rule="threshold", bias=None):
    return {
        "labels": labels,
        "status": status,
        "margin": margin,
        "method": "by hand",
        "witness": witness,
        "certificate": certificate,
        "rule": rule,
        "n_labels": weight.shape[0],
        "dim": weight.shape[1],
        "weight": array_digest(weight),
        "bias": None if bias is None else array_digest(bias),
        "seconds": 0.0,
    }


def verdicts():
    conflict = {"labels": [0, 1], "multipliers": [2.0, 1.0]}
    return [
        verdict(WEIGHT, [2], "argmaxable", [0.7, 0.8], [-1.0, 1.0]),
        verdict(WEIGHT, [0, 2], "unargmaxable", [-0.1, 0.0], None, conflict),
        verdict(WEIGHT, [1], "undecided", [-0.1, 1e-12]),
        verdict(WEIGHT, [0, 1], "argmaxable", [0.1, 0.8], [1.0, -1.0], rule="top_k"),
    ]


def write(path, lines):
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def test_a_true_file_is_verified_and_counted(tmp_path):
    path = write(tmp_path / "v.jsonl", verdicts())
    assert verify(path, WEIGHT) == {"argmaxable": 2, "unargmaxable": 1, "undecided": 1}


def test_a_bias_is_part_of_the_claim(tmp_path):
    bias = np.array([1.0, -1, 0], np.float32)
    true = verdict(WEIGHT, [0, 2], "argmaxable", [0.1, 0.2], [0.25, 1.0], bias=bias)
    path = write(tmp_path / "v.jsonl", [true])
    assert verify(path, WEIGHT, bias)["argmaxable"] == 1
    for other in (None, bias + 1):
        with pytest.raises(VerificationError, match="line 1: bias is"):
            verify(path, WEIGHT, other)


@pytest.mark.parametrize(
    ("line", "change", "reason"),
    [
        (0, {"witness": [1.0, 1.0]}, "witness does not prove"),
        (0, {"witness": [0.0, 1.0]}, "witness does not prove"),
        (0, {"witness": [-1.0, 1.0, 0.0]}, "witness must have dim = 2"),
        (0, {"witness": None}, "without a witness"),
        (0, {"labels": [1]}, "witness does not prove"),
        (0, {"labels": [7]}, "label id 7"),
        (0, {"status": "unargmaxable", "margin": [-1, 0]}, "without a certificate"),
        (0, {"margin": [-0.2, -0.1]}, "contradicts"),
        (0, {"margin": [0.8, 0.7]}, "contradicts"),
        (0, {"margin": [float("nan"), 0.7]}, "contradicts"),
        (0, {"status": "likely"}, "status must be one of"),
        (0, {"status": []}, "status must be one of"),
        (0, {"margin": []}, "margin must be a lower and an upper bound"),
        (0, {"margin": [0.1, "0.2"]}, "margin must be a list of int or float"),
        (0, {"labels": {}}, "labels must be list; given {}"),
        (0, {"labels": ""}, "labels must be list"),
        (0, {"labels": [[2]]}, r"labels must be a list of int; given \[2\]"),
        (0, {"labels": [True]}, "labels must be a list of int"),
        (0, {"witness": ["-1", "1"]}, "witness must be a list of int or float"),
        (0, {"seconds": 10**400}, "seconds must be a list of int or float"),
        (0, {"witness": [10**400, 1]}, "witness must be a list of int or float"),
        (0, {"bias": 1}, "bias must be dict or null"),
        (0, {"sets": 0}, "sets must be"),
        (1, {"certificate": {"labels": [[], 1], "multipliers": [2.0, 1.0]}}, "labels must be a list of int"),
        (1, {"certificate": {"labels": [0, 1], "multipliers": "21"}}, "multipliers must be list"),
        (0, {"rule": "most"}, "unknown rule"),
        (0, {"n_labels": 4}, "n_labels is 4"),
        (1, {"certificate": {"labels": [0, 1], "multipliers": [2.0, -1.0]}}, "certificate does not prove"),
        (1, {"certificate": {"labels": [0, 1], "multipliers": [2.0, 3.0]}}, "certificate does not prove"),
        (1, {"certificate": {"labels": [0, 1], "multipliers": [2.0, 1.00001]}}, "certificate does not prove"),
        (1, {"certificate": {"labels": [0, 2], "multipliers": [2.0, 1.0]}}, "certificate does not prove"),
        (1, {"certificate": {"labels": [0], "multipliers": [2.0]}}, "certificate does not prove"),
        (1, {"certificate": {"labels": [0, 1]}}, "has no 'multipliers'"),
        (1, {"certificate": None}, "without a certificate"),
        (1, {"labels": [0, 1, 2]}, "certificate does not prove"),
        (1, {"status": "argmaxable", "margin": [0.1, 0.2]}, "without a witness"),
        (1, {"margin": [0.1, 0.2]}, "contradicts"),
        (2, {"margin": [0.1, 0.2]}, "contradicts"),
        (3, {"rule": "argmax"}, "exactly one label in each set"),
        (3, {"witness": [-1.0, 1.0]}, "witness does not prove"),
        (3, {"weight": array_digest(WEIGHT.astype(np.float64))}, "other weights"),
        (3, {"weight": array_digest(WEIGHT + 1)}, "other weights"),
    ],
)
def test_every_false_claim_is_found_with_its_line(tmp_path, line, change, reason):
    lines = verdicts()
    lines[line] |= change
    path = write(tmp_path / "v.jsonl", lines)
    with pytest.raises(VerificationError, match=f"line {line + 1}: .*{reason}"):
        verify(path, WEIGHT)


def test_damaged_files_are_refused(tmp_path):
    whole = json.dumps(verdicts()[0]) + "\n"
    for cut, reason in [
        ([whole, whole[: len(whole) // 2]], "line 2: not a JSON object"),
        ([whole, "[1, 2]\n"], "line 2: not a JSON object"),
        ([whole, "null\n"], "line 2: not a JSON object: None"),
        ([whole, "5\n"], "line 2: not a JSON object: 5"),
        ([whole, "[" * 100_000 + "\n"], "line 2: not a JSON object"),
        ([whole, "{}\n"], "line 2: has no 'labels'"),
        ([], "holds no verdict"),
    ]:
        with pytest.raises(VerificationError, match=reason):
            verify(write(tmp_path / "v.jsonl", cut), WEIGHT)
    (tmp_path / "b.jsonl").write_bytes(b"\x93NUMPY\xff\xfe")
    with pytest.raises(VerificationError, match="line 1"):
        verify(tmp_path / "b.jsonl", WEIGHT)


def test_a_file_cut_at_a_line_end_is_refused(tmp_path):
    lines = [line | {"sets": 4} for line in verdicts()]
    assert sum(verify(write(tmp_path / "v.jsonl", lines), WEIGHT).values()) == 4
    assert sum(verify(write(tmp_path / "v.jsonl", lines + lines), WEIGHT).values()) == 8  # one file after another
    assert sum(verify(write(tmp_path / "v.jsonl", lines + verdicts()[:1]), WEIGHT).values()) == 5  # an older file
    for kept in (1, 3, 7):
        with pytest.raises(VerificationError, match=f"lacks lines: {kept} are of a report of 4 sets"):
            verify(write(tmp_path / "v.jsonl", (lines + lines)[:kept]), WEIGHT)
    lines[1] = lines[1] | {"margin": [0.1, 0.2]}
    with pytest.raises(VerificationError, match=r"line 2: .*contradicts"):  # a false claim comes first
        verify(write(tmp_path / "v.jsonl", lines[:3]), WEIGHT)


def test_the_first_false_claim_is_named_across_batches(tmp_path):
    lines = verdicts() * 3
    lines[9] = lines[9] | {"certificate": {"labels": [0, 2], "multipliers": [1.0, 1.0]}}
    lines[10] = "{truncated\n"
    with pytest.raises(VerificationError, match="line 10: the certificate"):
        verify(write(tmp_path / "v.jsonl", lines), WEIGHT, batch_size=3)
    lines[9] = verdicts()[1]
    with pytest.raises(VerificationError, match="line 11: not a JSON"):
        verify(write(tmp_path / "v.jsonl", lines), WEIGHT, batch_size=3)


def test_a_byte_order_mark_and_blank_lines_are_no_claims(tmp_path):
    lines = verdicts()
    path = write(tmp_path / "v.jsonl", ["\ufeff", lines[0], "\n", *lines[1:], "  \r\n", "\n"])
    assert sum(verify(path, WEIGHT).values()) == 4
    assert len(Report.load(write(path, ["\ufeff", "\n", *lines[:3], "\n"]))) == 3
    lines[2] |= {"margin": [0.1, 0.2]}
    with pytest.raises(VerificationError, match=r"line 4: .*contradicts"):
        verify(write(path, ["\ufeff", lines[0], "\n", *lines[1:]]), WEIGHT)
    for nothing in ("", "\n\n", "\ufeff", "\ufeff\n"):
        with pytest.raises(VerificationError, match="holds no verdict"):
            verify(write(path, [nothing]), WEIGHT)


def test_each_given_set_must_have_a_verdict(tmp_path):
    path = write(tmp_path / "v.jsonl", verdicts())
    for sets in ([], [[2]], [[2, 0], [1], [0, 2]], np.array([[0, 1], [2, 3]]), [[1, 0], [2], [0, 2], [1]]):
        assert sum(verify(path, WEIGHT, None, sets).values()) == 4
    for sets, message in [
        ([[2], [], [1, 2]], r"v.jsonl has no verdict on set 1 of the label sets, \[\]"),
        ([[2], [2, 1]], r"no verdict on set 1 of the label sets, \[1, 2\]"),
        (np.array([[0, 3], [2, 3]]), r"no verdict on set 0 of the label sets, \[0\]"),
    ]:
        with pytest.raises(VerificationError, match=message):
            verify(path, WEIGHT, label_sets=sets)
    with pytest.raises(ValueError, match="label id 3 in set 1"):
        verify(path, WEIGHT, label_sets=[[2], [3]])
    lines = verdicts()
    lines[3] |= {"witness": [-1.0, 1.0]}
    with pytest.raises(VerificationError, match="line 4: the witness"):  # a false claim comes first
        verify(write(path, lines), WEIGHT, label_sets=[[]])
