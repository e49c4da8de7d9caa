"""Conflicts: labels of an unargmaxable set that contradict each other, and none of which could be left out."""

from dataclasses import replace

import numpy as np

from sigfft.argmaxability.layer import Layer
from sigfft.argmaxability.proofs import exact
from sigfft.argmaxability.proofs.certificate import Certificate
from sigfft.argmaxability.stages import Problem, decide


def irreducible(layer: Layer, active: frozenset[int], certificate: Certificate) -> Certificate:
    """A certificate on some of the labels of a given one, which no longer conflict once any of them is left out.

    A certificate may hold more than a conflict needs: it cancels without the constraints that every set has, such as
    that on the bias, while some of its labels conflict with those. So each label is left out in turn, and what is left
    is decided together with all of those constraints; a contradiction takes the place of the certificate. A label
    that cannot be spared among more labels cannot be among fewer: once round is enough.

    A label also stays where what is left is undecided. Where the rows of the labels and of those constraints depend on
    each other in one way only, that is the certificate, and any of its labels resolves it: nothing is tried.

    Args:
      layer: of the set.
      active: the set's labels.
      certificate: proved to contradict the set.

    Reference: Chinneck and Dravnieks, Locating minimal infeasible constraint sets in linear programs (1991), the
    deletion filter.
    """
    core = [i for i in certificate.labels if i < layer.n_labels]
    for label in core.copy():
        if _nullity(layer, core) == 1:
            break
        if label not in core:
            continue
        fewer = _contradiction(layer, active, [i for i in core if i != label])
        if fewer is not None:
            certificate, core = fewer, [i for i in fewer.labels if i < layer.n_labels]
    return certificate


def _nullity(layer: Layer, labels: list[int]) -> int:
    """An upper bound on the number of independent dependencies of the rows of labels and of what every set has."""
    ids = np.append(labels, np.arange(layer.n_labels, layer.n_constraints)).astype(int)
    return len(ids) - exact.rank(layer.whole(ids)[0])


def _contradiction(layer: Layer, active: frozenset[int], labels: list[int]) -> Certificate | None:
    """A certificate on these labels and on the constraints that every set has; None where they do not conflict."""
    if not labels:
        return None
    bias = None if layer.bias is None else layer.bias[labels]
    rule = replace(layer.rule, cardinality=None)  # some of a set's labels may be any number
    alone = replace(layer, weight=layer.weight[labels], bias=bias, rule=rule)
    on = [i for i, label in enumerate(labels) if label in active]
    found = decide(Problem.of(alone), alone.pad([on]))[0].certificate
    if found is None:
        return None
    ids = np.append(labels, np.arange(layer.n_labels, layer.n_constraints))
    return Certificate(tuple(ids[list(found.labels)].tolist()), found.multipliers)
