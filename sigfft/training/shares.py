"""The check of label sets by all processes of a run: each takes its share, and the first one has the whole report."""

import dataclasses
import json
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from sigfft import labels
from sigfft.argmaxability import HeadReport, Report, check_head
from sigfft.argmaxability.proofs.verdicts import Line, Verdict, read_line
from sigfft.heads import Head, Params
from sigfft.training import processes

_TRUTHS = ("ideal", "deployed", "features")


def check_in_shares(
    head: Head, params: Params, label_sets: Int[np.ndarray, "sets width"], **options: Any
) -> HeadReport | None:
    """`check_head` of padded label sets, of which process i of N decides every N-th one from the i-th on.

    Returns:
      At the first process the report on all of them, in their order; None at the others.

    Raises:
      ValueError: the processes have different parameters.
    """
    count = jax.process_count()
    own = check_head(head, params, label_sets[jax.process_index() :: count], **options)
    if count == 1:
        return own
    parts = processes.gather(json.dumps(_content(own)).encode())
    return None if parts is None else _whole(own, label_sets, list(map(json.loads, parts)))


def _content(report: HeadReport) -> dict[str, Any]:
    """What other processes need of a report, as JSON."""
    content = {name: None if (truth := getattr(report, name)) is None else truth.tolist() for name in _TRUTHS}
    return content | {"verdicts": _lines(report), "on_features": report.on_features and _lines(report.on_features)}


def _lines(report: Report) -> list[str]:
    sets = labels.unpack(report.label_sets, report.layer.n_labels)
    return [Line(*of_set, report.layer).to_json() for of_set in zip(sets, report.verdicts, strict=True)]


def _whole(own: HeadReport, label_sets: Int[np.ndarray, "sets width"], parts: list[dict[str, Any]]) -> HeadReport:
    def interleaved(name: str) -> list[Any]:
        whole: list[Any] = [None] * len(label_sets)
        for i, part in enumerate(parts):
            whole[i :: len(parts)] = part[name]
        return whole

    def report_on(like: Report, name: str) -> dict[str, Any]:
        lines = list(map(read_line, interleaved(name)))
        if other := [i for i, line in enumerate(lines) if line.layer != like.layer]:
            raise ValueError(
                f"process {other[0] % len(parts)} has other parameters than process 0 at the end of the training; "
                "do all have the same kind of devices?"
            )
        verdicts: list[Verdict] = [line.verdict for line in lines]
        return {"label_sets": label_sets, "verdicts": verdicts}

    truths: dict[str, Any] = {
        name: np.array(interleaved(name), "<U12") for name in _TRUTHS if getattr(own, name) is not None
    }
    on_features = own.on_features
    if on_features is not None:
        on_features = dataclasses.replace(on_features, **report_on(on_features, "on_features"))
    return dataclasses.replace(own, **report_on(own, "verdicts"), **truths, on_features=on_features)
