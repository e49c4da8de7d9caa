"""How frequent labels are: the log-odds at which heads start, of all labels together or of each."""

import math

import jax
import numpy as np
from jaxtyping import Array, Float, Float32

from sigfft import labels


def prior_logit(prior: float | np.floating | None, expected_cardinality: int, n_labels: int) -> float:
    """The logit at which every label starts: log(p / (1 - p)) for the share p of labels that is active.

    Args:
      prior: the share, strictly between 0 and 1; None: expected_cardinality / n_labels, at most a half.
      expected_cardinality: labels of a typical example.
      n_labels: number of labels.
    """
    share = min(expected_cardinality / n_labels, 0.5) if prior is None else prior
    if not 0 < share < 1:
        raise ValueError(
            f"prior={prior!r} must lie strictly between 0 and 1: it is the mean number of active labels / n_labels"
        )
    return math.log(float(share) / (1 - float(share)))


def label_priors(label_sets: labels.LabelSets, n_labels: int) -> Float32[np.ndarray, " labels"]:
    """The log-odds of each label's share of the training examples, for `with_priors` of a head.

    With c of N examples that have a label it is log((c + ½) / (N - c + ½)), which is finite where c is 0 or N.

    Args:
      label_sets: of the training examples.
      n_labels: number of labels.

    Raises:
      ValueError: no label set, or labels that are not below n_labels.

    Reference: Haldane (1956) and Anscombe (1956) for the ½.

    Example:
      >>> label_priors([[0], [0, 1], [0]], n_labels=3).round(3)
      array([ 1.946, -0.511, -1.946], dtype=float32)
    """
    active = labels.pad(label_sets, n_labels)
    if not len(active):
        raise ValueError("priors of labels take at least one label set; given none")
    counts = np.bincount(active[active < n_labels], minlength=n_labels)
    return np.asarray(np.log((counts + 0.5) / (len(active) - counts + 0.5)), np.float32)


def check_log_odds(log_odds: Float[Array | np.ndarray, "..."], n_labels: int, head: object) -> None:
    """Raises ValueError unless these are one finite number for each label; values that are traced are not looked at."""
    if np.shape(log_odds) != (n_labels,):
        raise ValueError(f"log_odds of {head!r} must be ({n_labels},); given shape {np.shape(log_odds)}")
    if isinstance(log_odds, jax.core.Tracer) or (finite := np.isfinite(log_odds)).all():
        return
    label = int(np.argmin(finite))
    raise ValueError(
        f"log_odds of {head!r} must be finite; label {label} has {log_odds[label]}. sigfft.label_priors gives such, "
        "also where a label has no example"
    )
