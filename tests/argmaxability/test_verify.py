import json

import numpy as np
import pytest

from sigfft.argmaxability import certificate as proofs
from sigfft.argmaxability.certificate import VerificationError, array_digest, verify

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
        (0, {"witness": [-1.0, 1.0, 0.0]}, "reshape"),
        (0, {"witness": None}, "without a witness"),
        (0, {"labels": [1]}, "witness does not prove"),
        (0, {"labels": [7]}, "label id 7"),
        (0, {"status": "unargmaxable", "margin": [-1, 0]}, "without a certificate"),
        (0, {"margin": [-0.2, -0.1]}, "contradicts"),
        (0, {"margin": [0.8, 0.7]}, "contradicts"),
        (0, {"margin": [float("nan"), 0.7]}, "contradicts"),
        (0, {"status": "likely"}, "contradicts"),
        (0, {"rule": "most"}, "unknown rule"),
        (0, {"n_labels": 4}, "n_labels is 4"),
        (1, {"certificate": {"labels": [0, 1], "multipliers": [2.0, -1.0]}}, "certificate does not prove"),
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
        ([whole, "\n"], "line 2: not a JSON object"),
        ([whole, "[1, 2]\n"], "line 2: "),
        ([whole, "{}\n"], "line 2: has no 'n_labels'"),
        ([], "holds no verdict"),
    ]:
        with pytest.raises(VerificationError, match=reason):
            verify(write(tmp_path / "v.jsonl", cut), WEIGHT)
    (tmp_path / "b.jsonl").write_bytes(b"\x93NUMPY\xff\xfe")
    with pytest.raises(VerificationError, match="line 1"):
        verify(tmp_path / "b.jsonl", WEIGHT)


def test_the_first_false_claim_is_named_across_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(proofs, "_BATCH", 3)
    lines = verdicts() * 3
    lines[9] = lines[9] | {"certificate": {"labels": [0, 2], "multipliers": [1.0, 1.0]}}
    lines[10] = "{truncated\n"
    with pytest.raises(VerificationError, match="line 10: the certificate"):
        verify(write(tmp_path / "v.jsonl", lines), WEIGHT)
    lines[9] = verdicts()[1]
    with pytest.raises(VerificationError, match="line 11: not a JSON"):
        verify(write(tmp_path / "v.jsonl", lines), WEIGHT)
