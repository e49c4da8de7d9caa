"""Batches of label sets over processes: kept as they finish, and taken up again by a later run."""

import functools
import hashlib
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int
from threadpoolctl import threadpool_limits

from sigfft.argmaxability.proofs.verdicts import Verdict, read_lines, write
from sigfft.argmaxability.proofs.verification import verify
from sigfft.argmaxability.stages import Problem, decide
from sigfft.argmaxability.workers import in_order
from sigfft.labels import unpack


@dataclass(frozen=True)
class Batches:
    """Batches to verdicts: from the shards of an earlier run, or worked on now and saved.

    Attributes:
      problem: what all batches share.
      probes: random activations tried for each set before the search.
      folder: of the shards; None: they are not kept.
      on_error: "raise", or "undecided" for the sets of a batch that raised.
      time_limit: seconds that each set may take.
    """

    problem: Problem
    probes: int
    folder: Path | None
    on_error: str
    time_limit: float = math.inf

    def stream(
        self, batches: Sequence[np.ndarray], n_jobs: int = 1, backend: str | None = None
    ) -> Iterator[list[Verdict]]:
        """Verdicts of each batch, in order, as they are finished; `n_jobs` and `backend` are joblib's."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        lost = None if self.on_error == "raise" else self._lost
        unsaved = None
        for verdicts, error in in_order(functools.partial(_finish, self), batches, lost, n_jobs, backend):
            unsaved = unsaved or error
            yield verdicts
        if unsaved is not None:
            warnings.warn(f"not every finished batch could be kept in {self.folder}: {unsaved}", stacklevel=3)

    def shard(self, batch: np.ndarray) -> Path | None:
        """Where a batch's verdicts are kept: named by the layer, the rule and the label sets."""
        if self.folder is None:
            return None
        digest = self.problem.layer.digest
        about = f"Layer{str(digest).removeprefix('Digest')}"  # so named from 0.1 on: runs go on
        if digest.domain == "any" and digest.projection is None:
            about = about.replace(", domain='any', projection=None", "")
        content = f"({about}, {batch.shape})".encode() + np.ascontiguousarray(batch, "<i4").tobytes()
        return self.folder / f"{hashlib.sha256(content).hexdigest()[:32]}.jsonl"

    def finished(self, batch: np.ndarray) -> list[Verdict] | None:
        """The verdicts of an earlier run on a batch, proved again; None where they are missing, damaged or false."""
        shard = self.shard(batch)
        if shard is None or not shard.exists():
            return None
        layer, sets = self.problem.layer, unpack(batch, self.problem.layer.n_labels)
        try:
            verify(shard, layer.weight, layer.bias, projection=layer.projection)
            lines = [line for _, line in read_lines(shard)]
        except (OSError, ValueError):
            return None  # worked on again
        if [(line.labels, line.layer) for line in lines] != [(labels, layer.digest) for labels in sets]:
            return None
        if math.isinf(self.time_limit) and any(line.verdict.status == "undecided" for line in lines):
            return None  # there is more time now
        return [line.verdict for line in lines]

    def _lost(self, batch: np.ndarray, error: Exception) -> tuple[list[Verdict], None]:
        return self.finished(batch) or _undecided(len(batch), error), None

    def save(self, batch: np.ndarray, verdicts: list[Verdict]) -> OSError | None:
        """Write a batch's shard; if the disk refuses, the reason: the verdicts are worth more than their copy."""
        shard = self.shard(batch)
        if shard is None:
            return None
        try:
            write(shard, batch, verdicts, self.problem.layer.digest)
        except OSError as error:
            return error
        return None


@threadpool_limits.wrap(limits=1, user_api="blas")  # its products are small; threads would wait for each other
def _finish(run: Batches, batch: Int[np.ndarray, "sets width"]) -> tuple[list[Verdict], OSError | None]:
    before = run.finished(batch)
    if before is not None:
        return before, None
    try:
        verdicts = decide(run.problem, batch, run.probes, run.time_limit)
    except Exception as error:  # whatever it was, it costs this batch alone, and is the reason that its verdicts give
        if run.on_error == "raise":
            raise
        return _undecided(len(batch), error), None
    return verdicts, run.save(batch, verdicts)


def _undecided(count: int, error: Exception) -> list[Verdict]:
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return [Verdict("undecided", (-1.0, 1.0), "none", reason=reason)] * count
