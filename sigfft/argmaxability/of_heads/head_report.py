"""The report on a head: its label sets in real arithmetic, by its stored weights, and in the forward pass.

A closed form holds for real numbers; rounding W to float32 can undo it, and rounding inside the forward pass can undo
what the stored weights still allow. Each is decided by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sigfft import labels
from sigfft.argmaxability.checker import check
from sigfft.argmaxability.display import Names, checked_names
from sigfft.argmaxability.of_heads.forward import DtypeName, check_dtype, deployed, reproduced
from sigfft.argmaxability.of_heads.on_features import check_features, reproduced_by_features
from sigfft.argmaxability.of_heads.reachability import Reach
from sigfft.argmaxability.of_heads.streamed import HELD, check_streamed
from sigfft.argmaxability.report import Report
from sigfft.argmaxability.rules import Rule, RuleName, named
from sigfft.argmaxability.theory import cyclic
from sigfft.domains import DomainLike, domain_of
from sigfft.heads import Circle, Head, Params, stored_layer

_LARGE = 1 << 21  # entries of W from which the transform's search, compiled for seconds, comes first


@dataclass(frozen=True, repr=False)
class HeadReport(Report):
    """A report on the head's stored weights, with the closed form and the forward pass beside it.

    `save` writes what is proved: the verdicts on the stored weights.

    Attributes:
      ideal: (m,) the closed form. "undecided" where it says nothing: heads without a guarantee, or sets beyond it.
      deployed: (m,) "argmaxable" where an activation in `dtype`, run through the jitted `head.decode` in a batch on
        the default device, yields exactly the set. Otherwise "undecided": none was found, and none is ruled out.
      on_features: the verdicts on what features in their domain yield, each witness a feature vector; None where they
        were not asked for.
      features: (m,) the fourth truth: "argmaxable" where it is proved and a feature vector in `dtype`, run through the
        jitted `head.logits`, yields exactly the set; "unargmaxable" where that is proved.
      reach: whether features reach every z; then all verdicts on z carry over.
      dtype: of the activations and logits of that forward pass.
      head: the output layer.
    """

    ideal: np.ndarray
    deployed: np.ndarray
    dtype: str
    head: Head
    on_features: Report | None = None
    features: np.ndarray | None = None
    reach: Reach | None = None

    @classmethod
    def of(
        cls,
        head: Head,
        params: Params,
        report: Report,
        dtype: str = "float32",
        domain: DomainLike | None = None,
        reached: Reach | None = None,
        **options: Any,
    ) -> "HeadReport":
        """A report on a head's rows, completed by the closed form and by the forward pass.

        Witnesses are tried first in the forward pass; a set that they do not reproduce gets an activation of larger
        margin, unless it is proved unargmaxable.

        Args:
          head: any head.
          params: its parameters.
          report: of `check` on its rows.
          dtype: of the forward pass.
          domain: of the features; None leaves them out.
          reached: what they reach, where it is known.
          **options: of `check`, for what features yield.
        """
        rule, padded = report.layer.rule, report.label_sets
        nothing = np.full(head.dim, np.nan)
        z = np.array([nothing if w is None else w for w in report.witness], np.float64).reshape(-1, head.dim)
        done = reproduced(head, params, z, padded, rule, dtype)
        left = ~done & (report.status != "unargmaxable")
        distinct, inverse, _ = labels.dedupe(padded[left])
        done[left] = deployed(head, params, distinct, rule, dtype)[inverse]
        status = np.where(done, "argmaxable", "undecided").astype("<U12")
        given = {field.name: getattr(report, field.name) for field in fields(Report)}
        made = cls(**given, ideal=ideal(head, padded), deployed=status, dtype=dtype, head=head)
        if domain is None:
            return made
        about = (named(rule), domain_of(domain), reached)
        on_features, reached = check_features(head, params, report, *about, **options)
        served = reproduced_by_features(head, params, on_features, reached, named(rule), dtype)
        features = np.where(served | (on_features.status != "argmaxable"), on_features.status, "undecided")
        return replace(made, on_features=on_features, features=features, reach=reached)

    def named(self, names: Names) -> "HeadReport":
        """As `Report.named`; what features yield shows names as well."""
        on_features = None if self.on_features is None else self.on_features.named(names)
        return replace(self, names=checked_names(names, self.layer.n_labels), on_features=on_features)

    def _truths(self) -> dict[str, np.ndarray]:
        truths = {"ideal": self.ideal, "stored": self.stored, "deployed": self.deployed}
        return truths if self.features is None else truths | {"features": self.features}

    def _further(self, i: int) -> dict[str, Any]:
        return {name: str(status[i]) for name, status in self._truths().items() if name != "stored"}

    def _summary(self) -> list[str]:
        counts = {name: int((status == "argmaxable").sum()) for name, status in self._truths().items()}
        told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        about = "" if self.reach is None else f"; {self.reach}"
        return [*super()._summary(), f"argmaxable of {self.head.name}: {told}; {self.dtype}{about}"]

    @property
    def stored(self) -> np.ndarray:
        """(m,) what is proved of the weights as stored: `status`."""
        return self.status

    @property
    def ideal_witness(self) -> list[Float[np.ndarray, " dim"] | None]:
        """Activations that yield the sets in real arithmetic, where the closed form has one; made when asked for."""
        return [ideal_witness(self.head, ids) for ids in labels.unpack(self.label_sets, self.layer.n_labels)]

    def truths(self) -> str:
        """How many sets are argmaxable in each sense, by cardinality."""
        cardinality = labels.cardinality(self.label_sets, self.layer.n_labels)
        truths = self._truths()
        lines = [f"{'labels':>8} {'sets':>9} " + " ".join(f"{name:>9}" for name in truths) + f"  {self.dtype}"]
        for k in [*np.unique(cardinality).tolist(), None]:
            chosen = np.ones(len(self), bool) if k is None else cardinality == k
            counts = [int((t[chosen] == "argmaxable").sum()) for t in truths.values()]
            lines.append(f"{'all' if k is None else k:>8} {chosen.sum():>9} " + " ".join(f"{c:>9}" for c in counts))
        return "\n".join(lines)


def check_head(
    head: Head,
    params: Params,
    label_sets: labels.LabelSets,
    rule: RuleName | Rule = "threshold",
    *,
    domain: DomainLike = "any",
    dtype: DtypeName = "float32",
    held: int | np.integer = HELD,
    **options: Any,
) -> HeadReport:
    """`check` of a head's rows and biases, with the closed form and the forward pass beside it.

    Args:
      head: any head.
      params: its parameters.
      label_sets: as `check`.
      rule: as `check`.
      domain: of the features: "any", "nonnegative" (after a ReLU) or two bounds; z itself can be anything.
      dtype: of the forward pass that will serve the head: "float32", "bfloat16" or "float16".
      held: entries of W up to which it is held. Where there are more, rows are made on the fly; see
        `streamed.check_streamed`.
      **options: as `check`; where rows are made on the fly, only `progress`.

    Returns:
      A report whose `ideal`, `stored`, `deployed` and `features` are the four truths; see `HeadReport`. There are no
      features where rows are made on the fly.

    Raises:
      ValueError: as `check`, an unknown dtype, or another rule or option than a head of this size can be checked with.
    """
    check_dtype(dtype)
    domain_of(domain)
    if "transposed" in options:
        raise ValueError("a head makes its own rows; leave out transposed=, which is about the weight of `check`")
    if head.n_labels * head.dim <= held:
        report = check_rows(head, params, label_sets, rule, **options)
        with_features = domain if head.n_labels * head.feature_dim <= held else None
        return HeadReport.of(head, params, report, dtype, with_features, **options)
    if not named(rule).free_level and options.keys() <= {"progress"}:
        return HeadReport.of(head, params, check_streamed(head, params, label_sets, rule, **options), dtype)
    raise ValueError(
        f"W of {head.n_labels} × {head.dim} is too large to hold: it is checked under the threshold rule and "
        f"with no option but progress; given rule={rule!r} and {', '.join(options) or 'no options'}"
    )


def check_rows(
    head: Head, params: Params, label_sets: labels.LabelSets, rule: RuleName | Rule = "threshold", **options: Any
) -> Report:
    """`check` of a head's rows and biases.

    Most sets of a large head with a guarantee have an activation that its own transform finds in a tenth of the time:
    `check_streamed` begins there, its margins are the trivial bounds, and `check` decides the sets that it leaves.
    """
    weight, bias = stored_layer(head, params)
    if not head.max_cardinality or weight.size < _LARGE or named(rule).free_level:
        return check(weight, label_sets, bias, rule, **options)
    quick = check_streamed(head, params, label_sets, rule, progress=bool(options.get("progress")))
    left, verdicts = np.flatnonzero(quick.status == "undecided"), list(quick.verdicts)
    decided = check(weight, quick.label_sets[left], bias, rule, **options)
    for i, verdict in zip(left.tolist(), decided.verdicts, strict=True):
        verdicts[i] = verdict
    return Report(quick.layer, quick.label_sets, verdicts)


def ideal(head: Head, padded: Int[np.ndarray, "sets width"]) -> np.ndarray:
    """(m,) statuses in real arithmetic, from the alternation rule on the head's circle of labels.

    A set of at most k labels changes sign at most 2k times around the circle, and is argmaxable; `ideal_witness` makes
    an activation that yields it. Beyond 2k changes it is unargmaxable if W has no other columns, and left open if it
    has. Holds for every decision rule.
    """
    if head.circle is None:
        return np.full(len(padded), "undecided", dtype="<U12")
    on_circle = _on_circle(head.circle, padded, head.n_labels)
    possible = cyclic.argmaxable(on_circle, head.n_labels, head.circle.max_frequency)
    return np.where(possible, "argmaxable", "unargmaxable" if head.circle.alone else "undecided").astype("<U12")


def ideal_witness(head: Head, label_set: Sequence[int]) -> Float[np.ndarray, " dim"] | None:
    """An activation that yields a set in real arithmetic, in float64; None where the closed form has none.

    Its spectrum is that of `theory.witness`; all other entries of z are zero, as those of spread and slack.

    Raises:
      ValueError: ids out of range.
    """
    circle, padded = head.circle, labels.pad([label_set], head.n_labels)
    if circle is None or ideal(head, padded)[0] != "argmaxable":
        return None
    on_circle = labels.unpack(_on_circle(circle, padded, head.n_labels), head.n_labels)[0]
    spectrum, _ = cyclic.witness(on_circle, head.n_labels, circle.max_frequency, circle.n_fft)
    z = np.zeros(head.dim)
    z[circle.column : circle.column + len(spectrum)] = spectrum
    return z


def _on_circle(circle: Circle, padded: np.ndarray, n_labels: int) -> np.ndarray:
    """Label sets as sets of points, in their order around the circle."""
    if circle.points is None:
        return padded
    place = np.append(np.argsort(np.argsort(circle.points)), n_labels)
    return np.sort(place[padded], axis=1)
