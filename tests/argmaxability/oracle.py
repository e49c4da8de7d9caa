"""Which label sets some input yields, from the definitions and in rational arithmetic; shares nothing with the package.

A system of strict inequalities a_i·x > 0 has a solution, or there are y >= 0, not all 0, with Σ y_i a_i = 0 (Gordan).
The simplex method finds either one, and what it found is then substituted.
"""

from fractions import Fraction

import numpy as np

Row = list[Fraction]


def solution(system: list[Row]) -> Row | None:
    """Some x with a_i·x > 0 for every row a_i, or None where there is none.

    Phase 1 of Σ y_i a_i = 0, Σ y_i = 1, y >= 0 from a basis of artificial variables, by Bland's rule. Where their sum
    stays positive, the dual solution of the first equations is −x.
    """
    if not system:
        return []
    n, width = len(system), len(system[0])
    scaled = [[value / _size(row) for value in row] for row in system]  # numbers stay short; signs are all that counts
    columns = [*([*row, Fraction(1)] for row in scaled), *_identity(width + 1)]
    table = [[column[k] for column in columns] + [Fraction(int(k == width))] for k in range(width + 1)]
    basis = list(range(n, n + width + 1))
    costs = [-sum(line[j] for line in table) if j < n else Fraction(0) for j in range(n + width + 1)]
    costs.append(Fraction(-1))  # minus the sum of the artificial variables
    while (entering := next((j for j in range(n) if costs[j] < 0), None)) is not None:
        rising = [k for k in range(width + 1) if table[k][entering] > 0]
        leaving = min(rising, key=lambda k: (table[k][-1] / table[k][entering], basis[k]))
        table[leaving] = [value / table[leaving][entering] for value in table[leaving]]
        for line in [*(line for k, line in enumerate(table) if k != leaving), costs]:
            factor = line[entering]
            if factor:
                line[:] = [a - factor * b for a, b in zip(line, table[leaving], strict=True)]
        basis[leaving] = entering
    if costs[-1] == 0:
        y = {basis[k]: table[k][-1] for k in range(width + 1) if table[k][-1]}
        assert sum(y.values()) == 1
        assert all(0 <= i < n and value > 0 for i, value in y.items())
        assert not any(sum(value * system[i][k] / _size(system[i]) for i, value in y.items()) for k in range(width))
        return None
    x = [costs[n + k] - 1 for k in range(width)]
    assert all(dot(row, x) > 0 for row in system)
    return x


def system(weight, bias, rule: str, domain, projection, labels) -> list[Row] | None:
    """Rows of what a set asks of (input, c, in the same ratios as the input and 1); None: it cannot be.

    threshold: logits of active labels are positive, others negative; but a logit that is 0 for every input is off.
    argmax, top_k: the logit of each active label is larger than that of each other one.
    """
    logits = logit_rows(weight, bias, projection)
    on, off = list(labels), [i for i in range(len(logits)) if i not in labels]
    if rule == "threshold":
        if not all(any(logits[i]) for i in on):
            return None
        asked = [logits[i] for i in on] + [[-value for value in logits[i]] for i in off if any(logits[i])]
    else:
        asked = [[a - b for a, b in zip(logits[i], logits[j], strict=True)] for i in on for j in off]
    size = len(logits[0]) - 1
    low, high = {"any": (None, None), "nonnegative": (0, None)}.get(domain, domain)
    for unit in _identity(size):
        if low is not None:
            asked.append([*unit, -Fraction(low)])
        if high is not None:
            asked.append([*(-value for value in unit), Fraction(high)])
    return [*asked, [*[Fraction(0)] * size, Fraction(1)]]


def logit_rows(weight, bias, projection) -> list[Row]:
    """The logit of each label as a row over the input and 1: w_i·z + b_i, with z = matrix @ input + offset."""
    rows = [
        [*row, b] for row, b in zip(exact(weight), exact(np.zeros(len(weight)) if bias is None else bias), strict=True)
    ]
    if projection is None:
        return rows
    fed = [[*row, b] for row, b in zip(exact(projection[0]), exact(projection[1]), strict=True)]
    fed.append([Fraction(0)] * (len(fed[0]) - 1) + [Fraction(1)])
    return [[dot(row, column) for column in zip(*fed, strict=True)] for row in rows]


def yields(weight, bias, rule, domain, projection, labels, point) -> bool:
    """Whether an input, in any numbers that Fraction takes, yields exactly this set."""
    asked = system(weight, bias, rule, domain, projection, labels)
    return asked is not None and all(dot(row, [*map(Fraction, point), Fraction(1)]) > 0 for row in asked)


def argmaxable(weight, bias, rule, domain, projection, labels) -> bool:
    """Whether some input yields exactly this set."""
    asked = system(weight, bias, rule, domain, projection, labels)
    return asked is not None and solution(asked) is not None


def exact(array) -> list:
    values = np.asarray(array).astype(np.float64).tolist()
    return [list(map(Fraction, v)) if isinstance(v, list) else Fraction(v) for v in values]


def dot(a, b) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def _size(row: Row) -> Fraction:
    largest = max(map(abs, row)) or Fraction(1)
    return Fraction(2) ** (largest.numerator.bit_length() - largest.denominator.bit_length())


def _identity(size: int) -> list[Row]:
    return [[Fraction(int(j == k)) for j in range(size)] for k in range(size)]
