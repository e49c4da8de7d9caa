"""Plan of a DFT head: the spread with which its guarantee survives floating point, and what that costs."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sigfft import labels
from sigfft.argmaxability.display import html_table
from sigfft.argmaxability.of_heads.forward import DtypeName
from sigfft.argmaxability.of_heads.trials import Sets, Trial, distinct_sets, try_head
from sigfft.argmaxability.theory.sampling import clopper_pearson, random_sets
from sigfft.domains import DomainLike, domain_of
from sigfft.heads import DFTHead, Service, bottleneck_head, dft_head
from sigfft.heads.head import whole
from sigfft.heads.sizes import enough_spread
from sigfft.spectrum import MOST_POINTS, smooth_length

_MOST_SAMPLES = 10**6
_FINE = 0.06  # the spread is found to within this share of itself


@dataclass(frozen=True, repr=False)
class Plan:
    """The answer of `plan`.

    Attributes:
      dtype: of the forward pass.
      share: of label sets to be reproduced.
      confidence: of the intervals.
      trials: the heads that were tried, by spread.
      chosen: the one with the least spread that reaches the share, to within 6 %; None if none of them does.
      domain: what each feature can be.
    """

    dtype: str
    share: float
    confidence: float
    trials: list[Trial]
    chosen: Trial | None
    domain: DomainLike = "any"

    @property
    def features(self) -> Service | None:
        """Whether the features can serve the chosen head, and what is missing; None where no head is."""
        return None if self.chosen is None else Service(self.chosen.head, self.domain)

    def __repr__(self) -> str:
        head, spreads = self.trials[0].head, ", ".join(str(trial.spread) for trial in self.trials)
        found = "no spread that was tried reaches" if self.chosen is None else f"spread {self.chosen.spread} reaches"
        asked = f"{head.n_labels:,} labels, every set of up to {head.max_cardinality}, {self.dtype}"
        served = "" if self.features is None else f"\n{self.features}"
        return f"Plan for {asked}: {found} a share of {self.share:g}; tried {spreads}{served}"

    def _repr_html_(self) -> str:
        return html_table(repr(self), self.to_dicts(), len(self.trials))

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict of plain values for each spread that was tried, in ascending order.

        Each has "spread"; "dim" and "parameters" of the head; "reproduced", "of", "low" and "high" of random sets; the
        same with `given_` before them, where sets were given; and "chosen".
        """
        return [
            {"spread": trial.spread, "dim": trial.head.dim, "parameters": trial.head.n_parameters()}
            | asdict(trial.random)
            | ({} if trial.given is None else {f"given_{name}": value for name, value in asdict(trial.given).items()})
            | {"chosen": trial is self.chosen}
            for trial in self.trials
        ]

    def __str__(self) -> str:
        head = self.trials[0].head
        k, n = head.max_cardinality, head.n_labels
        lines = [f"{n:,} labels, every set of up to {k}, {self.dtype}, {head.feature_dim:,} features"]
        for trial in self.trials:
            given = "" if trial.given is None else f"; given sets: {trial.given}"
            lines.append(f"  spread {trial.spread:>6}, random {k}-sets: {trial.random}{given}")
        if self.chosen is None:
            lines.append(
                f"no spread that was tried reaches a share of {self.share:g} in {self.dtype}; "
                "raise n_fft, which makes room for more frequencies, or lower the cardinality"
            )
        else:
            lines.append(
                f"needed for a share of {self.share:g}, {self.confidence:.0%} intervals: spread {self.chosen.spread}, "
                f"slack {head.slack}"
            )
            lines += [f"  {self.features}", *_costs(self.chosen.head)]
        lines.append(
            f"That a layer has d >= 2k + 1 = {2 * k + 1} dimensions does not make a learned W safe: the guarantee is "
            "of the fixed columns. Check a trained W with `sigfft check`."
        )
        return "\n".join(lines)


def plan(
    n_labels: int | np.integer,
    max_cardinality: int | np.integer,
    dtype: DtypeName = "float32",
    *,
    label_sets: labels.LabelSets | None = None,
    share: float = 0.95,
    confidence: float = 0.95,
    samples: int | np.integer = 100,
    feature_dim: int | np.integer = 768,
    domain: DomainLike = "any",
    centred: bool = False,
    slack: int | np.integer = 0,
    n_fft: int | np.integer | None = None,
    thorough: bool = False,
    seed: int | np.integer = 0,
) -> Plan:
    """The least spread with which the forward pass reproduces a stated share of label sets.

    Random sets of exactly k labels are sampled, the hardest size, and given sets of at most k; a set counts if an
    activation cast to `dtype` yields exactly it in the forward pass on the default device. The search for it is a
    quick one, so that the spread is enough and may not be the least: a thorough one finds activations of smaller
    margins too. With some spreads tried, the intervals are of each trial by itself.

    Args:
      n_labels: number of labels.
      max_cardinality: k.
      dtype: "float32", "bfloat16" or "float16".
      label_sets: of the data, if there are any; those of more than k labels are left out.
      share: the share of all sets that the interval must lie above.
      confidence: of the Clopper–Pearson intervals.
      samples: sets of each kind that are tried; given sets are all tried if there are no more.
      feature_dim: of the head: whether so many features can serve it, and its costs.
      domain: what each feature can be: "any", "nonnegative" as after a ReLU, or (low, high); see
        `sigfft.heads.least_features` for what is claimed.
      centred: whether the head subtracts their mean from features, which then serve it from dim + 1 on.
      slack: learned columns, as at their start.
      n_fft: points of the transform; as `sigfft.dft_head`.
      thorough: search longer for the sets that are left, see `forward.deployed`; minutes to hours where n and k are
        large.
      seed: of the sample.

    Raises:
      ValueError: sizes below 1 or too large, an unknown domain, more columns than points, or so few samples that the
        share is out of reach.
    """
    sizes = {"n_labels": n_labels, "max_cardinality": max_cardinality, "samples": samples, "feature_dim": feature_dim}
    n, k, count, width = (whole(name, size, 1) for name, size in sizes.items())
    whole("samples", count, 1, most=_MOST_SAMPLES)
    whole("slack", slack, 0)
    domain_of(domain)
    points = smooth_length(n) if n_fft is None else whole("n_fft", n_fft, 1, most=MOST_POINTS)
    room = (points - 1) // 2 - k
    if room < 0:
        raise ValueError(
            f"max_cardinality={k} needs at least {2 * k + 1} points; n_labels={n} have {points}: "
            "lower max_cardinality or raise n_fft"
        )
    best = clopper_pearson(count, count, confidence)[0]
    if not 0 < share <= best:
        raise ValueError(
            f"with samples={samples} the interval lies above {best:.4f} at most; share={share} must be positive and no "
            "larger, or raise samples"
        )
    random = Sets(random_sets(n, k, count, int(seed)))
    given = None if label_sets is None else distinct_sets(label_sets, n, k, count, int(seed))
    trials: dict[int, Trial] = {}

    def reaches(spread: int) -> bool:
        if spread not in trials:
            options = {"spread": spread, "slack": int(slack), "n_fft": None if n_fft is None else points}
            head = dft_head(n, k, feature_dim=width, centred=centred, **options)  # type: ignore[arg-type]
            settings = {"dtype": dtype, "confidence": confidence, "thorough": thorough, "seed": int(seed)}
            trials[spread] = try_head(head, random, given, **settings)  # type: ignore[arg-type]
        return trials[spread].reaches(share)

    least = _least(reaches, room, enough_spread(n, k, points))
    tried = [trials[spread] for spread in sorted(trials)]
    return Plan(dtype, share, confidence, tried, None if least is None else trials[least], domain)


def _least(reaches: Callable[[int], bool], room: int, guess: int) -> int | None:
    """The least spread that reaches, to within `_FINE`; None if not even all frequencies do."""
    if reaches(0):
        return 0
    if not room:
        return None
    low, high = 0, max(1, min(guess, room))
    while not reaches(high):
        if high == room:
            return None
        low, high = high, min(room, max(high + 1, math.ceil(1.3 * high)))
    if low == 0 and high > 1:  # the guess was enough: go down before halving
        while high > 1 and reaches(lower := high * 10 // 13):
            high = lower
        low = min(high - 1, lower) if high > 1 else 0
    while high - low > max(1, _FINE * high):
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def _costs(head: DFTHead) -> list[str]:
    """Parameters and operations of the chosen head, and of bottlenecks beside it."""
    n, d, features = head.n_labels, head.dim, head.feature_dim
    operations = 2 * features * d + 2.5 * head.n_points * math.log2(head.n_points) + 2 * n * head.slack
    costs = {f"this head, d = {d}": (head.n_parameters(), operations)}
    narrow = max(1, round(head.n_parameters() / (features + 1 + n)))
    for name, dim in (("bottleneck of the same d", d), ("bottleneck of these parameters", narrow)):
        same = bottleneck_head(n, dim, feature_dim=features)
        costs[f"{name}, d = {dim}"] = same.n_parameters(), 2.0 * (features + n) * dim
    lines = [
        f"  {name}: {size:,} parameters, {work / 1e6:,.1f} MFLOP per example" for name, (size, work) in costs.items()
    ]
    slack = head.dim - head.slack - 2 * head.max_cardinality - 1
    columns = f"the same number of columns is slack {slack}, {slack * n:,} parameters more"
    return [*lines, f"  slack instead of spread: {columns}"]
