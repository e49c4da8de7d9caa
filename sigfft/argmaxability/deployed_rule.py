"""Label sets under the rule that is deployed, logits > thresholds: the layer that is checked has bias - thresholds."""

from typing import Any

import numpy as np
from jaxtyping import Array, Float

from sigfft.argmaxability.checker import check
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.argmaxability.proofs.witness import ExactWitness, proves_witnesses
from sigfft.argmaxability.report import Report
from sigfft.metrics import rule_bias

_LOGITS_AT_ONCE = 1 << 22


def check_thresholds(
    weight: Float[np.ndarray | Array, "labels dim"],
    report: Report,
    bias: Float[np.ndarray | Array, " labels"] | None,
    thresholds: Float[np.ndarray, ""] | Float[np.ndarray, " labels"] | float,
    **options: Any,
) -> Report:
    """The verdicts under logits > thresholds on the label sets of a report under logits > 0.

    The witness of a layer without a bias, multiplied by a power of two until all its logits are beyond the thresholds,
    yields its set here as well: no set is lost to thresholds, and only those that were not argmaxable are searched
    again. With a bias either can happen. Every verdict is proved on the layer whose bias is `rule_bias(thresholds,
    bias).values`, which `verify` takes too.

    Args:
      weight: (n_labels, dim), as the report's.
      report: of `check` or `check_head` under the threshold rule.
      bias: (n_labels,) as the report's, or None.
      thresholds: in logits, one for all labels or one for each.
      **options: of `check`.

    Raises:
      ValueError: the report is about another weight, bias or rule.
    """
    weight, bias = np.asarray(weight), None if bias is None else np.asarray(bias)
    if report.layer != Layer.of(weight, bias).digest:
        raise ValueError("the report must be about this weight and bias, under the threshold rule and any z")
    levels = np.broadcast_to(np.asarray(thresholds, np.float64), (len(weight),))
    layer = Layer.of(weight, rule_bias(levels, bias).values)
    verdicts = [Verdict("undecided", (-1.0, 1.0), "none")] * len(report)
    given = [i for i, w in enumerate(report.witness) if w is not None and not isinstance(w, ExactWitness)]
    if given:
        z = np.array([report.witness[i] for i in given], np.float64)
        if bias is None:
            z = z * _enlarged(weight.astype(np.float64), z, float(np.abs(levels).max()))
        for i, one, holds in zip(given, z, proves_witnesses(layer, report.label_sets[given], z), strict=True):
            if holds:
                verdicts[i] = Verdict("argmaxable", (0.0, 1.0), "threshold", one)
    left = [i for i, verdict in enumerate(verdicts) if verdict.status == "undecided"]
    if left:
        more = check(weight, report.label_sets[left], layer.bias, **options)
        for i, verdict in zip(left, more.verdicts, strict=True):
            verdicts[i] = verdict
    return Report(layer.digest, report.label_sets, verdicts, names=report.names)


def _enlarged(
    weight: Float[np.ndarray, "labels dim"], z: Float[np.ndarray, "sets dim"], level: float
) -> Float[np.ndarray, "sets 1"]:
    """Powers of two that bring the logits of labels that are not silent beyond a level; what is too small stays so."""
    rows, step = weight[weight.any(axis=1)], max(1, _LOGITS_AT_ONCE // max(1, len(weight)))
    least = [np.abs(z[i : i + step] @ rows.T).min(axis=1, initial=np.inf) for i in range(0, len(z), step)]
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        exponents = np.ceil(np.log2(level / np.concatenate(least))) + 1
        return np.ldexp(1.0, np.clip(np.nan_to_num(exponents), 0, 900).astype(int))[:, None]
