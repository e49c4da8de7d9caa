"""Check: which label sets a layer can output, each verdict with its proof."""

import math
from pathlib import Path
from typing import Literal

import numpy as np
import tqdm
from jaxtyping import Array, Float

from sigfft.argmaxability.batches import Batches
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.progress import batch_finished, shown_on
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.argmaxability.report import Report
from sigfft.argmaxability.rules import Rule, RuleName
from sigfft.argmaxability.stages import Problem
from sigfft.domains import DomainLike
from sigfft.labels import LabelSets, dedupe
from sigfft.projection import Projection

_MOST_JOBS = 4096
_MARGINS_AT_ONCE = 1 << 23  # sets × constraints of a batch, in floats: 64 MB


def check(
    weight: Float[np.ndarray | Array, "_labels _dim"],
    label_sets: LabelSets,
    bias: Float[np.ndarray | Array, " labels"] | None = None,
    rule: RuleName | Rule = "threshold",
    *,
    domain: DomainLike = "any",
    projection: Projection | None = None,
    transposed: bool = False,
    time_limit: float | None = None,
    batch_size: int | np.integer | None = None,
    probes: int | np.integer = 0,
    progress: bool = False,
    resume_dir: str | Path | None = None,
    n_jobs: int | np.integer = 1,
    backend: str | None = None,
    on_error: Literal["undecided", "raise"] = "undecided",
) -> Report:
    """Which label sets some activation yields, with a proof of each verdict.

    A set is argmaxable iff some z satisfies every inequality of the rule strictly. Ties do not count: a set that is
    only reached with a logit of exactly zero (threshold) or with equal logits (argmax, top_k) has margin 0 and is
    unargmaxable. A label whose weight and bias are zero is off for every z under the threshold rule: no set with it
    is argmaxable, and it asks nothing of the other sets.

    Args:
      weight: (n_labels, dim), float16, bfloat16, float32 or float64; the stored values are taken as exact.
      label_sets: integer lists, or an int array padded with n_labels. Repeated sets are worked on once.
      bias: (n_labels,) or None.
      rule: "threshold" (logit > 0), "argmax" (one label) or "top_k" (the set's size is k); or a `rules.Rule`.
      domain: what each entry of the input can be: "any", "nonnegative" (after a ReLU), or two bounds (low, high). The
        bounds themselves are left out, which loses nothing: a set that a point on them yields strictly, others yield.
      projection: of the head, where the input is not z but features: z = matrix @ features + offset. The layer that
        they see, W times the matrix, is decided exactly, without rounding that product.
      transposed: the weight is a kernel (dim, n_labels), as Flax stores it. It alters no verdict and no file.
      time_limit: seconds after which a set is left undecided; default: none, and every set is decided.
      batch_size: label sets worked on together; default: as many as keep their margins within 64 MB, at most 256.
      probes: random activations tried for each set before the search; worth it on accelerators, not on cores.
      progress: show a progress bar; in one process it moves within batches, and says what slow sets wait for.
      resume_dir: a folder for finished batches. A run that broke, started again with the same arguments, goes on; what
        it takes from there is proved again. A batch that cannot be written there is kept, and a warning says so.
      n_jobs: processes, as in joblib; -1 for all cores.
      backend: joblib's backend, such as "loky" or "dask"; default: the one that `joblib.parallel_config` set.
      on_error: "undecided" gives the sets of a batch that raised that status, with the error as the reason; "raise"
        passes the error on. Finished batches are in `resume_dir` either way.

    Raises:
      ValueError: arrays that are not finite or of the wrong shape or dtype, ids out of range, an unknown rule or
        domain, a time_limit that is not positive, a batch_size below 1, n_jobs of 0 or beyond 4096, or negative probes.

    Example:
      >>> weight = np.array([[2.0, 1.0], [-1.0, 1.0], [-0.5, -2.0]])
      >>> report = check(weight, [[0, 1], [0, 1, 2]])
      >>> report.status.tolist()
      ['argmaxable', 'unargmaxable']
      >>> report.certificate[1].labels
      (0, 1, 2)
    """
    if on_error not in ("undecided", "raise"):
        raise ValueError(f"on_error must be 'undecided' or 'raise'; given {on_error!r}")
    if n_jobs == 0 or n_jobs > _MOST_JOBS or probes < 0:
        raise ValueError(
            f"n_jobs must be a number of processes, at most {_MOST_JOBS}, or -1 for all cores, and probes at least 0; "
            f"given n_jobs={n_jobs}, probes={probes}"
        )
    if time_limit is not None and not time_limit > 0:
        raise ValueError(f"time_limit must be a positive number of seconds, or None; given {time_limit}")
    layer = Layer.of(weight, bias, rule, domain, projection, transposed)
    padded = layer.pad(label_sets)
    if not len(padded):
        return Report(layer.digest, padded, [])
    distinct, inverse, _ = dedupe(padded)
    if batch_size is None:
        batch_size = max(1, min(256, _MARGINS_AT_ONCE // layer.n_constraints))
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; given {batch_size}")
    batches = [distinct[i : i + batch_size] for i in range(0, len(distinct), batch_size)]
    folder = None if resume_dir is None else Path(resume_dir).resolve()
    limit = math.inf if time_limit is None else time_limit
    run = Batches(Problem.of(layer), int(probes), folder, on_error, limit)
    finished: list[Verdict] = []
    with tqdm.tqdm(total=len(distinct), disable=not progress, unit="set", desc="argmaxability") as bar, shown_on(bar):
        for verdicts in run.stream(batches, int(n_jobs), backend):
            finished += verdicts
            batch_finished(len(verdicts))
    return Report(layer.digest, padded, [finished[i] for i in inverse])
