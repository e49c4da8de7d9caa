"""Which label sets a layer can output: batches worked on by processes, kept as they finish, gathered in a report."""

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tqdm
from jaxtyping import Float, Int
from threadpoolctl import threadpool_limits

from sigfft.argmaxability import streamed, truths
from sigfft.argmaxability.certificate import verify
from sigfft.argmaxability.decide import Problem, decide
from sigfft.argmaxability.report import Layer, Report, Verdict, from_json, to_json, write_lines
from sigfft.argmaxability.system import pad_sets
from sigfft.heads import Head, Params, stored_layer
from sigfft.labels import LabelSets, dedupe, unpack

if TYPE_CHECKING:
    import joblib

_MARGINS_AT_ONCE = 1 << 23  # sets × constraints of a batch, in floats: 64 MB


def check(
    weight: Float[np.ndarray, "labels dim"],
    label_sets: LabelSets,
    bias: Float[np.ndarray, " labels"] | None = None,
    rule: str = "threshold",
    *,
    batch_size: int | None = None,
    probes: int = 0,
    progress: bool = False,
    resume_dir: str | Path | None = None,
    n_jobs: int = 1,
    backend: str | None = None,
    on_error: str = "undecided",
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
      rule: "threshold" (logit > 0), "argmax" (one label) or "top_k" (the set's size is k).
      batch_size: label sets worked on together; default: as many as keep their margins within 64 MB, at most 256.
      probes: random activations tried for each set before the search; worth it on accelerators, not on cores.
      progress: show a progress bar.
      resume_dir: a folder for finished batches. A run that broke, started again with the same arguments, goes on; what
        it takes from there is proved again. A batch that cannot be written there is kept, and a warning says so.
      n_jobs: processes, as in joblib; -1 for all cores.
      backend: joblib's backend, such as "loky" or "dask"; default: the one that `joblib.parallel_config` set.
      on_error: "undecided" gives the sets of a batch that raised that status, with the error as the reason; "raise"
        passes the error on. Finished batches are in `resume_dir` either way.

    Raises:
      ValueError: weights that are not finite or of the wrong shape or dtype, ids out of range, an unknown rule, a
        batch_size below 1, n_jobs of 0, or negative probes.
    """
    if on_error not in ("undecided", "raise"):
        raise ValueError(f"on_error must be 'undecided' or 'raise'; given {on_error!r}")
    if n_jobs == 0 or probes < 0:
        raise ValueError(
            f"n_jobs must be a number of processes, or -1 for all cores, and probes at least 0; "
            f"given n_jobs={n_jobs}, probes={probes}"
        )
    problem = Problem.of(weight, bias, rule)
    padded = pad_sets(label_sets, problem.system)
    if not len(padded):
        return Report(problem.layer(), padded, [])
    distinct, inverse, _ = dedupe(padded)
    if batch_size is None:
        batch_size = max(1, min(256, _MARGINS_AT_ONCE // problem.system.n_constraints))
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; given {batch_size}")
    batches = [distinct[i : i + batch_size] for i in range(0, len(distinct), batch_size)]
    run = _Run(problem, problem.layer(), probes, None if resume_dir is None else Path(resume_dir).resolve(), on_error)
    import joblib  # a third of a second, which `import sigfft` need not wait for

    parallel = joblib.Parallel(n_jobs=n_jobs, backend=backend, return_as="generator")
    finished: list[Verdict] = []
    with tqdm.tqdm(total=len(distinct), disable=not progress, unit="set", desc="argmaxability") as bar:
        for verdicts in run.stream(batches, parallel):
            finished += verdicts
            bar.update(len(verdicts))
    return Report(run.layer, padded, [finished[i] for i in inverse])


def check_head(
    head: Head,
    params: Params,
    label_sets: LabelSets,
    rule: str = "threshold",
    *,
    dtype: str = "float32",
    **options: Any,
) -> truths.HeadReport:
    """`check` of a head's rows and biases, with the closed form and the forward pass beside it.

    Args:
      head: any head.
      params: its parameters.
      label_sets: as `check`.
      rule: as `check`.
      dtype: of the forward pass that will serve the head: "float32", "bfloat16" or "float16".
      **options: as `check`. With more than 2^28 entries of W, which are then made on the fly, only `progress`; see
        `streamed.check_streamed`.

    Returns:
      A report whose `ideal`, `stored` and `deployed` are the three truths; see `truths.HeadReport`.

    Raises:
      ValueError: as `check`, an unknown dtype, or another rule or option than a head of this size can be checked with.
    """
    truths.check_dtype(dtype)
    if head.n_labels * head.dim > streamed.HELD:
        if rule != "threshold" or options.keys() - {"progress"}:
            raise ValueError(
                f"W of {head.n_labels} × {head.dim} is too large to hold: it is checked under the threshold rule and "
                f"with no option but progress; given rule={rule!r} and {', '.join(options) or 'no options'}"
            )
        return truths.head_report(head, params, streamed.check_streamed(head, params, label_sets, **options), dtype)
    weight, bias = stored_layer(head, params)
    report = check(weight, label_sets, bias, rule, **options)
    return truths.head_report(head, params, report, dtype)


@dataclass(frozen=True)
class _Run:
    """Batches to verdicts: from the shards of an earlier run, or worked on now and saved."""

    problem: Problem
    layer: Layer
    probes: int
    folder: Path | None
    on_error: str

    def stream(self, batches: Sequence[np.ndarray], parallel: "joblib.Parallel") -> Iterator[list[Verdict]]:
        """Verdicts of each batch, in order, as they are finished."""
        from joblib import delayed

        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        done, unsaved = 0, None
        try:
            for verdicts, error in parallel(delayed(_finish)(self, batch) for batch in batches):
                done, unsaved = done + 1, unsaved or error
                yield verdicts
        except Exception as error:  # a worker died: what has been yielded stays, and what others have saved
            if self.on_error == "raise":
                raise
            for batch in batches[done:]:
                yield self.finished(batch) or _undecided(len(batch), error)
        if unsaved is not None:
            warnings.warn(f"not every finished batch could be kept in {self.folder}: {unsaved}", stacklevel=3)

    def shard(self, batch: np.ndarray) -> Path | None:
        """Where a batch's verdicts are kept: named by the layer, the rule and the label sets."""
        if self.folder is None:
            return None
        content = repr((self.layer, batch.shape)).encode() + np.ascontiguousarray(batch, "<i4").tobytes()
        return self.folder / f"{hashlib.sha256(content).hexdigest()[:32]}.jsonl"

    def finished(self, batch: np.ndarray) -> list[Verdict] | None:
        """The verdicts of an earlier run on a batch, proved again; None where they are missing, damaged or false."""
        shard = self.shard(batch)
        if shard is None or not shard.exists():
            return None
        try:
            verify(shard, self.problem.weight, self.problem.bias)
            found = [from_json(line) for line in shard.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError):
            return None  # worked on again
        about = [(labels, layer) for labels, _, layer in found]
        if about != [(labels, self.layer) for labels in unpack(batch, self.layer.n_labels)]:
            return None
        return [verdict for _, verdict, _ in found]

    def save(self, batch: np.ndarray, verdicts: list[Verdict]) -> OSError | None:
        """Write a batch's shard; if the disk refuses, the reason: the verdicts are worth more than their copy."""
        shard = self.shard(batch)
        if shard is None:
            return None
        sets = unpack(batch, self.layer.n_labels)
        try:
            write_lines(shard, [to_json(s, v, self.layer) for s, v in zip(sets, verdicts, strict=True)])
        except OSError as error:
            return error
        return None


@threadpool_limits.wrap(limits=1, user_api="blas")  # its products are small; threads would wait for each other
def _finish(run: _Run, batch: Int[np.ndarray, "sets width"]) -> tuple[list[Verdict], OSError | None]:
    before = run.finished(batch)
    if before is not None:
        return before, None
    try:
        verdicts = decide(run.problem, batch, run.probes)
    except Exception as error:  # whatever it was, it costs this batch alone, and is the reason that its verdicts give
        if run.on_error == "raise":
            raise
        return _undecided(len(batch), error), None
    return verdicts, run.save(batch, verdicts)


def _undecided(count: int, error: Exception) -> list[Verdict]:
    return [Verdict("undecided", (-1.0, 1.0), "none", reason=f"{type(error).__name__}: {error}")] * count
