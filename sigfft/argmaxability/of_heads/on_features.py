"""What features yield: the verdicts on a head's label sets carried from z to the features, or decided on them."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from sigfft import labels
from sigfft.argmaxability.checker import check
from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.of_heads.forward import proposed, reproduced
from sigfft.argmaxability.of_heads.reachability import Reach, reach
from sigfft.argmaxability.proofs.verdicts import Verdict
from sigfft.argmaxability.proofs.witness import proves_witnesses
from sigfft.argmaxability.report import Report
from sigfft.argmaxability.rules import Rule
from sigfft.domains import Domain, domain_of
from sigfft.heads import Head, Params, stored_layer
from sigfft.projection import Projection

_SCALES = 4.0 ** np.arange(10, -3, -2)  # of the largest entry of z
_INSIDE, _MISSED = 1e-3, 1e-9  # above the domain's bound, and of the length of z: what least squares may leave
_UNKNOWN = Verdict("undecided", (-1.0, 1.0), "none")


def check_features(
    head: Head, params: Params, of_z: Report, rule: Rule, domain: Domain, reached: Reach | None = None, **options: Any
) -> tuple[Report, Reach]:
    """The report on what features in a domain yield, from that on z; and what they reach.

    A certificate for z is one for features. Where they reach every z, so are its witnesses, but for the projection's
    inverse; of others nonnegative features are sought that the projection takes to the witness. What that leaves open
    is decided on the exact product of W and the projection.

    Args:
      head: any head.
      params: its parameters.
      of_z: of `check` on its rows.
      rule: as `check`.
      domain: of the features.
      reached: what they reach, where it is known.
      **options: as `check`.
    """
    weight, bias = stored_layer(head, params)
    projection, reached = head.projection(params), reached or reach(head, params, domain)
    layer = Layer.of(weight, bias, rule, domain, projection)
    padded, inverse, _ = labels.dedupe(of_z.label_sets)
    known = [of_z.verdicts[i] for i in np.unique(inverse, return_index=True)[1].tolist()]
    verdicts = [verdict if verdict.status == "unargmaxable" else _UNKNOWN for verdict in known]
    if reached.status == "every z":
        at = np.array([i for i, verdict in enumerate(known) if verdict.status == "argmaxable"], int)
        x = reached.features(projection, np.array([known[i].witness for i in at], np.float64).reshape(-1, head.dim))
        for i, witness, holds in zip(at.tolist(), x, proves_witnesses(layer, padded[at], x), strict=True):
            if holds:
                verdicts[i] = Verdict("argmaxable", (0.0, 1.0), "reach", witness)
    if np.isfinite(domain.low) and not np.isfinite(domain.high):
        for i, verdict in enumerate(known):
            if verdicts[i].status == "undecided" and isinstance(verdict.witness, np.ndarray):
                found = _onto(projection, domain.low, verdict.witness.astype(np.float64), bias is None)
                if found is not None and proves_witnesses(layer, padded[[i]], found[None])[0]:
                    verdicts[i] = Verdict("argmaxable", (0.0, 1.0), "onto", found)
    left = [i for i, verdict in enumerate(verdicts) if verdict.status == "undecided"]
    if left:
        more = check(weight, padded[left], bias, rule, domain=domain.to_json(), projection=projection, **options)
        for i, verdict in zip(left, more.verdicts, strict=True):
            verdicts[i] = verdict
    return Report(layer.digest, of_z.label_sets, [verdicts[i] for i in inverse]), reached


def _onto(
    projection: Projection, low: float, z: Float[np.ndarray, " dim"], free: bool
) -> Float[np.ndarray, " features"] | None:
    """Features above a bound that the projection takes to z, or to a multiple where that is as good; None: none found.

    By nonnegative least squares, which needs as many steps as z has dimensions: less than a search among features.
    """
    from scipy.optimize import nnls  # takes longer to import than all of sigfft; most checks never get here

    matrix, offset = projection
    multiple = 10 * (np.linalg.norm(offset) + 1) / np.linalg.norm(z) if free and z.any() else 1.0
    inside = np.full(matrix.shape[1], low + _INSIDE)  # the bound itself is not in the domain
    try:
        above, missed = nnls(matrix, multiple * z - offset - matrix @ inside)
    except RuntimeError:  # more steps than it allows itself
        return None
    return inside + above if missed <= _MISSED * multiple * np.linalg.norm(z) else None


def reproduced_by_features(
    head: Head, params: Params, report: Report, reached: Reach, rule: Rule, dtype: str
) -> Bool[np.ndarray, " sets"]:
    """Whether features in their domain, cast to `dtype`, yield exactly their sets through the jitted `head.logits`.

    The report's witnesses are tried first; then, where features reach every z, those of the witnesses' activations and
    of others of larger margin, at some scales where the head has no bias that would fix it.
    """
    padded, domain = report.label_sets, domain_of(report.layer.domain)
    nothing = np.full(head.feature_dim, np.nan)
    x = np.array([nothing if w is None else w for w in report.witness], np.float64).reshape(-1, head.feature_dim)

    def try_all(x: np.ndarray, at: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            inside = domain.holds(x.astype(dtype).astype(np.float64))
        done = np.zeros(len(at), bool)
        done[inside] = reproduced(head, params, x[inside], padded[at][inside], rule, dtype, features=True)
        return done

    done = try_all(x, np.arange(len(padded)))
    left = np.flatnonzero(~done & (report.status == "argmaxable"))
    if not len(left) or reached.status != "every z":
        return done
    projection = head.projection(params)
    free = head.bias(params, jnp.zeros(1, jnp.int32)) is None
    witnesses = x[left] @ projection.matrix.T + projection.offset
    for z in (witnesses, proposed(head, params, padded[left], rule)):
        largest = np.abs(z).max(axis=1, keepdims=True)
        for scale in _SCALES if free else (None,):
            open_ = ~done[left] & np.isfinite(z).all(axis=1)
            of_scale = z[open_] if scale is None else z[open_] * (scale / largest[open_])
            done[left[open_]] = try_all(reached.features(projection, of_scale), left[open_])
    return done
