"""The truths of a head about one label set: ideal, stored, deployed and features, as they become known."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Int

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.of_heads.head_report import HeadReport, ideal
from sigfft.argmaxability.of_heads.reachability import Reach, reach
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.argmaxability.report import Report
from sigfft.domains import DomainLike, domain_of
from sigfft.heads import Head, Params

_LEAST_WIDTH = 32  # of a padded set: one compiled forward pass for all smaller ones
_SECONDS = 10.0  # for what features yield


class Truths:
    """What `check_head` tells of a head, for one label set at a time.

    Args:
      head: any head.
      params: its parameters.
      domain: of the features.

    Raises:
      ValueError: an unknown domain.
    """

    def __init__(self, head: Head, params: Params, domain: DomainLike = "any"):
        self.head, self.params, self.domain = head, params, domain
        domain_of(domain)

    @functools.cached_property
    def reached(self) -> Reach:
        """Whether features reach every z."""
        return reach(self.head, self.params, self.domain)

    def told(self, layer: Layer, padded: Int[np.ndarray, "1 width"], verdict: Verdict) -> Iterator[dict[str, Any]]:
        """Events with the truths that are known: at once the closed form's, then all."""
        width, n_labels = padded.shape[1], self.head.n_labels
        wider = max(_LEAST_WIDTH, 1 << max(0, width - 1).bit_length())
        padded = np.pad(padded, [(0, 0), (0, wider - width)], constant_values=n_labels)
        first = {"ideal": str(ideal(self.head, padded)[0]), "stored": verdict.status}
        yield {"kind": "truths", "truths": {**first, "deployed": None, "features": None}, "note": ""}
        of_z = Report(layer.digest, padded, [verdict])
        about = (self.head, self.params, of_z, "float32", self.domain, self.reached)
        report = HeadReport.of(*about, time_limit=_SECONDS)
        features = None if report.features is None else str(report.features[0])
        truths = {**first, "deployed": str(report.deployed[0]), "features": features}
        yield {"kind": "truths", "truths": truths, "note": f"{self.reached}; forward pass in {report.dtype}"}
