"""The tables of `why_spread.py`, from its finished trials."""

import statistics
from collections.abc import Mapping
from typing import Any

from results import table
from why_measures import THIRDS

Key = tuple[str, str, float, int]  # data, head, rate and seed
Runs = Mapping[Key, dict[str, Any]]

_COLUMNS = ("lower half of 1..k", "upper half of 1..k", "spread", "slack", "embedding", "learned")
_SCORES = ("data", "head", "dim", "parameters", "rate", "of rates", "P@5", "P@5 of each seed", "PSP@5")
_RANKS = ("data", "head", "rank of logits", "rank of learned rows", "cosine with the start")


def best_rate(runs: Runs, data: str, head: str) -> float | None:
    """The rate with the best P@5 at seed 0, of those tried; None: there is none."""
    tried = {key[2]: run["dev"]["P@5"] for key, run in runs.items() if (key[0], key[1], key[3]) == (data, head, 0)}
    return max(tried, key=lambda rate: tried[rate]) if tried else None


def scores(runs: Runs) -> str:
    """Each head at its best rate, means over its seeds; the best P@5 of a data set first."""
    rows = []
    for data, head in sorted({key[:2] for key in runs}):
        own = _chosen(runs, data, head)
        first, p5 = own[0], [run["dev"]["P@5"] for run in own]
        thirds = [statistics.mean(run["measured"]["recall@5"][third] for run in own) for third in THIRDS]
        psp = statistics.mean(run["dev"]["PSP@5"] for run in own)
        tried = sorted({key[2] for key in runs if key[:2] == (data, head)})
        rates = f"{first['rate']:g}", ", ".join(f"{rate:g}" for rate in tried)
        sizes = first["dim"], f"{first['parameters']:,}", *rates
        each = ", ".join(f"{score:.4f}" for score in p5)
        shown = (f"{statistics.mean(p5):.4f}", each, f"{psp:.4f}", *(f"{third:.3f}" for third in thirds))
        rows.append((data, -statistics.mean(p5), [data, head, *sizes, *shown]))
    header = [*_SCORES, *(f"R@5, {third}" for third in THIRDS)]
    return table(header, [row for *_, row in sorted(rows, key=lambda row: row[:2])])


def ranks(runs: Runs) -> str:
    """What seed 0 of each head at its best rate measured."""
    rows = []
    for data, head in sorted({key[:2] for key in runs}):
        run = _chosen(runs, data, head)[0]
        found, gradients = run["measured"], run["measured"]["gradients"]
        name = next((name for name in ("slack", "weight") if f"rank of {name}" in found), None)
        learned = f"{found[f'rank of {name}']:.1f} of {len(found[f'spectrum of {name}'])}" if name else ""
        cosine = f"{found[f'cosine of {name}']:.2f}" if name else ""
        changes = [
            f"{gradients['start'][kind]:.3f} / {gradients['end'][kind]:.3f}" if kind in gradients["start"] else ""
            for kind in _COLUMNS
        ]
        rows.append([data, head, f"{found['rank of logits']:.1f}", learned, cosine, *changes])
    return table([*_RANKS, *(f"gradient, {kind}" for kind in _COLUMNS)], rows)


def _chosen(runs: Runs, data: str, head: str) -> list[dict[str, Any]]:
    """The trials of a head at its best rate, by seed."""
    rate = best_rate(runs, data, head)
    return [run for _, run in sorted(item for item in runs.items() if item[0][:3] == (data, head, rate))]
