"""What commands say: a text for readers or, with --json, one document for programs. Imports come with a call."""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

_LONGEST, _KEPT = 300, 120  # characters of a line about bad input, and of its end where it is cut


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors about flags are short, whatever was given."""

    def error(self, message: str) -> NoReturn:
        """Prints how the command is used and the line, and exits with 2."""
        self.print_usage(sys.stderr)
        self.exit(2, one_line(f"{self.prog}: error: {message}") + "\n")


def one_line(message: str) -> str:
    """The message on one line of at most 300 characters; a longer one loses its middle, as its end says what to do."""
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(message.split()))
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST - _KEPT - 5]} ... {line[-_KEPT:]}"
    return line


def failure(error: Exception) -> str:
    """What an exception says, and what it does not: that memory ran out."""
    if isinstance(error, MemoryError):
        return f"not enough memory ({error or 'no size is given'}); use smaller sizes, or a machine with more"
    return str(error) or type(error).__name__


def say(args: argparse.Namespace, text: str, content: Mapping[str, Any]) -> None:
    """Prints the answer of a command."""
    print(json.dumps(content, ensure_ascii=False) if args.json else text)


def of_layer(weight: Any, bias: Any) -> dict[str, Any]:
    n_labels, dim = weight.shape
    return {"n_labels": n_labels, "dim": dim, "dtype": str(weight.dtype), "bias": bias is not None}


def of_report(report: Any, **shares: Any) -> dict[str, Any]:
    """Counts of all sets and by cardinality; `shares` are further properties that a set has or has not."""
    import numpy as np

    from sigfft import labels
    from sigfft.argmaxability.proofs.verdicts import STATUSES

    cardinality = labels.cardinality(report.label_sets, report.layer.n_labels)

    def counts(chosen: Any) -> dict[str, int]:
        found = {name: int((report.status[chosen] == name).sum()) for name in STATUSES}
        return {"checked": int(chosen.sum()), **found, **{name: int(has[chosen].sum()) for name, has in shares.items()}}

    by_cardinality = [{"cardinality": k, **counts(cardinality == k)} for k in np.unique(cardinality).tolist()]
    return counts(np.ones(len(report), bool)) | {"by_cardinality": by_cardinality}


def impossible_sets(report: Any, names: Any, most: int = 5) -> str:
    """Further lines of a text: the first sets that cannot be output, where labels have names; otherwise nothing."""
    from sigfft import labels
    from sigfft.argmaxability.display import label_list

    chosen = report.label_sets[report.status == "unargmaxable"]
    if names is None or not len(chosen):
        return ""
    shown = labels.unpack(chosen[:most], report.layer.n_labels)
    more = f"\nand {len(chosen) - most} more" if len(chosen) > most else ""
    return "\nunargmaxable:\n" + "\n".join(label_list(ids, names) for ids in shown) + more


def of_head_report(report: Any) -> dict[str, Any]:
    """As `of_report`, with what the closed form, the forward pass and features say."""
    truths = {"ideal": report.ideal, "deployed": report.deployed, "features": report.features}
    return of_report(report, **{name: truth == "argmaxable" for name, truth in truths.items() if truth is not None})


def of_plan(plan: Any) -> dict[str, Any]:
    head, service = plan.trials[0].head, plan.features
    trials = [
        {"spread": trial.spread, "random": vars(trial.random), "given": trial.given and vars(trial.given)}
        for trial in plan.trials
    ]
    chosen = None
    if plan.chosen is not None:
        chosen = {"head": plan.chosen.head.arguments, "dim": plan.chosen.head.dim}
        chosen |= {"parameters": plan.chosen.head.n_parameters()}
        chosen |= {"features_needed": service.least, "features_serve": service.serves}
    sizes = {"n_labels": head.n_labels, "max_cardinality": head.max_cardinality, "feature_dim": head.feature_dim}
    asked = {"dtype": plan.dtype, "share": plan.share, "confidence": plan.confidence}
    return {**sizes, **asked, "trials": trials, "chosen": chosen}


def of_reach(head: Any, reach: Any) -> dict[str, Any]:
    sizes = {"head": head.name, "feature_dim": head.feature_dim, "dim": head.dim, "domain": reach.domain}
    return {**sizes, "status": reach.status, "up_to_scale": reach.up_to_scale, "rank": reach.rank}
