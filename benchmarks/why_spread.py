"""Why spread, and what beats it: heads of equal parameters, ideas for better ones, and measurements of them.

    python benchmarks/why_spread.py --data FOLDER [--datasets delicious] [--seeds 2] [--runs runs/why.jsonl]

FOLDER holds one folder for each data set. All heads of a data set have the parameters of "spread + slack" or a few
less, one encoder (a bag of features) at its own rate, and one number of steps. Each has the head's rate that gave it
the best P@5 with seed 0, of those shown, and further seeds at that rate. Scores are of dev, for delicious a tenth of
the training examples; test is never read. R@5, head, torso and tail: of the most frequent labels that have a third of
all positives together, the next third, and the rest, the share of positives that are among the five highest labels of
their example.

- small start: slack a tenth as large at its start
- start by co-occurrence: slack in the directions in which label sets differ most; rows alike: with rows of one length
- scaled rows: a learned positive factor for each label
- start by embedding: slack that starts as the first columns of `sigfft.label_embedding`, and is learned
- spread + embedding: columns of that which are not learned, in place of three quarters of spread alone, or of as much
  as a third of all directions allows
- in groups: one row of slack for so many labels, neighbours in `sigfft.label_order`
- labels ordered: that order on the circle

The second table is of seed 0. Rank: exp of the entropy of the squared singular values, of centred logits of a thousand
dev examples, and of the learned columns of W, of how many. Cosine: of a learned column at the end with its start, mean.
Gradient: mean norm of that of a column's part of the projection, at the start / at the end, by kind of column.

Finished trials are kept, and trained no second time; `--datasets` with no name prints their tables.
"""

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from results import explained, write_section
from why_heads import (
    GroupedHead,
    ScaledHead,
    SmallHead,
    StartedBottleneck,
    StartedHead,
    alike,
    directions,
    own_arguments,
)
from why_measures import measured
from why_tables import Key, best_rate, ranks, scores

import sigfft
from sigfft.data import Dataset, Splits
from sigfft.data.xmc import load_xmc
from sigfft.heads import DFTHead, Head
from sigfft.metrics import make_metrics, propensities
from sigfft.training.config import Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig
from sigfft.training.encoder import make_encoder
from sigfft.training.evaluate import make_evaluate
from sigfft.training.given import given_params, most_embedding
from sigfft.training.loop import train
from sigfft.training.model import Model
from sigfft.training.settled import settle
from sigfft.training.sweep.families import FAMILIES
from sigfft.training.sweep.families import Sizes as FamilySizes
from sigfft.training.workdir import Workdir

RATES = (3e-3, 6e-3, 1.2e-2)  # of the head


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Of a data set: features, k, and the spread and slack of the head whose parameters all others have."""

    features: int
    max_cardinality: int
    spread: int
    slack: int
    steps: int


DATASETS = {"delicious": Sizes(576, 25, 100, 50, 1000), "tate": Sizes(640, 55, 100, 10, 400)}


def _dft(sizes: Sizes, data: Dataset, **own: Any) -> DFTHead:
    prior = data.mean_cardinality / data.n_labels
    given = {"spread": sizes.spread, "slack": sizes.slack, "centred": True, "prior": prior}
    return DFTHead(data.n_labels, sizes.max_cardinality, feature_dim=sizes.features, **given | own)


def budget(sizes: Sizes, data: Dataset) -> int:
    """Parameters of the head of spread and slack."""
    return _dft(sizes, data).n_parameters()


def _widest(make: Callable[[int], Head], most: int) -> Head:
    """The head with the largest size that has at most so many parameters."""
    size = 1
    for step in (256, 64, 16, 4, 1):
        while make(size + step).n_parameters() <= most:
            size += step
    return make(size)


def _grouped(sizes: Sizes, data: Dataset, group: int) -> Head:
    """Groups of neighbours in the order by co-occurrence; the circle's points are as labels come."""
    groups = sigfft.label_order(data.labels, data.n_labels) // group
    return _widest(
        lambda slack: GroupedHead(**own_arguments(_dft(sizes, data, slack=slack)), groups=groups), budget(sizes, data)
    )


def _scaled(sizes: Sizes, data: Dataset) -> Head:
    return _widest(lambda slack: ScaledHead(**own_arguments(_dft(sizes, data, slack=slack))), budget(sizes, data))


def _bottleneck(sizes: Sizes, data: Dataset) -> Head:
    own = {"feature_dim": sizes.features, "prior": data.mean_cardinality / data.n_labels}
    return _widest(lambda dim: sigfft.bottleneck_head(data.n_labels, dim, **own), budget(sizes, data))


def _started_bottleneck(sizes: Sizes, data: Dataset) -> Head:
    plain = _bottleneck(sizes, data)
    start = directions(data.labels, data.n_labels, plain.dim - 1)
    return StartedBottleneck(**plain.arguments, start=start)


def _started_alike(sizes: Sizes, data: Dataset) -> Head:
    start = alike(directions(data.labels, data.n_labels, sizes.slack))
    return StartedHead(**own_arguments(_dft(sizes, data)), start=start)


def _started(sizes: Sizes, data: Dataset) -> Head:
    start = directions(data.labels, data.n_labels, sizes.slack)
    return StartedHead(**own_arguments(_dft(sizes, data)), start=start)


def _embedded(sizes: Sizes, data: Dataset) -> Head:
    """As many columns as spread alone, of which the sweeps' family "dft_embedding" says how many are an embedding."""
    alone = _widest(lambda spread: _dft(sizes, data, slack=0, spread=spread), budget(sizes, data))
    shared = FamilySizes(data.n_labels, sizes.max_cardinality, sizes.features, most_embedding(data))
    own = FAMILIES["dft_embedding"](HeadConfig(), alone.arguments["spread"], shared)
    return _dft(sizes, data, slack=0, spread=own.spread, embedding=own.embedding)


def _started_embedded(sizes: Sizes, data: Dataset) -> Head:
    plain = _dft(sizes, data)
    return StartedHead(**own_arguments(plain), start=given_params(plain, data, "embedding")["slack"])


HEADS: dict[str, Callable[[Sizes, Dataset], Head]] = {
    "bottleneck": _bottleneck,
    "slack": lambda sizes, data: _widest(lambda slack: _dft(sizes, data, slack=slack, spread=0), budget(sizes, data)),
    "spread": lambda sizes, data: _widest(
        lambda spread: _dft(sizes, data, slack=0, spread=spread), budget(sizes, data)
    ),
    "spread + slack": _dft,
    "slack, small start": lambda sizes, data: _widest(
        lambda slack: SmallHead(**own_arguments(_dft(sizes, data, slack=slack, spread=0))), budget(sizes, data)
    ),
    "spread + slack, scaled rows": _scaled,
    "spread + slack in groups of 4": lambda sizes, data: _grouped(sizes, data, 4),
    "spread + slack in groups of 16": lambda sizes, data: _grouped(sizes, data, 16),
    "spread + slack, labels ordered": lambda sizes, data: _dft(
        sizes, data, order=sigfft.label_order(data.labels, data.n_labels)
    ),
    "spread + slack, small start": lambda sizes, data: SmallHead(**own_arguments(_dft(sizes, data))),
    "spread + slack, start by co-occurrence": _started,
    "spread + slack, start by co-occurrence, rows alike": _started_alike,
    "spread + slack, start by embedding": _started_embedded,
    "spread + embedding": _embedded,
    "bottleneck, start by co-occurrence": _started_bottleneck,
}


def load(name: str, folder: Path) -> Splits:
    """Train and dev split; a tenth of the training examples where there is no dev split. Test is never read."""
    splits = load_xmc(Path("~/.cache/sigfft").expanduser(), dir=folder / name)
    if "dev" not in splits:
        splits["train"], splits["dev"] = splits["train"].hold_out(0.1, 0)
    return {"train": splits["train"], "dev": splits["dev"]}


def trial(name: str, head: str, rate: float, seed: int, splits: Splits) -> dict[str, Any]:
    """Train one head; its dev scores and measurements."""
    sizes, data = DATASETS[name], splits["train"]
    config = Config(
        name="why",
        seed=seed,
        data=DataConfig(source="given"),
        encoder=EncoderConfig(kind="bag", dim=sizes.features, dropout=-1.0),
        optim=OptimConfig(
            steps=sizes.steps, batch_size=0, learning_rate=0.0, head_learning_rate=rate, encoder_weight_decay=-1.0
        ),
        eval=EvalConfig(every=sizes.steps // 5, patience=0),
    )
    made = HEADS[head](sizes, data)
    model = Model(make_encoder(config.encoder, data), made, given_params(made, data))
    config = settle(config, splits, model)
    counts = data.label_counts()
    metrics = make_metrics(data.n_labels, (1, 3, 5), propensities=propensities(counts, len(data)))
    dev = make_evaluate(model, metrics, splits["dev"], config.optim.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        params, steps, progress = train(model, config, data, dev, Workdir(folder), resume=False)
    return {
        **{"data": name, "head": head, "rate": rate, "seed": seed, "steps": steps, "best_step": progress.best_step},
        **{"name": model.head.name, "dim": model.head.dim, "parameters": model.head.n_parameters()},
        **{"dev": dev(params)},
        "measured": measured(model, params, splits, config),
    }


def kept(path: Path) -> dict[Key, dict[str, Any]]:
    """Finished trials."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {(run["data"], run["head"], run["rate"], run["seed"]): run for run in map(json.loads, lines)}


def _rounded(run: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(run), parse_float=lambda text: float(f"{float(text):.5g}"))


def run_missing(name: str, heads: list[str], rates: list[float], seeds: int, folder: Path, path: Path) -> None:
    """Train what `path` lacks, and add it there: seed 0 at all rates, further seeds at the best of them."""
    splits = load(name, folder)
    for head in heads:
        for seed in range(seeds):
            best = best_rate(kept(path), name, head)
            for rate in [best] if seed and best is not None else rates:
                if (name, head, rate, seed) in kept(path):
                    continue
                run = trial(name, head, rate, seed, splits)
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(_rounded(run)) + "\n")
                print(name, head, rate, seed, *(f"{run['dev'][m]:.4f}" for m in ("P@5", "PSP@5")), flush=True)


def main() -> None:
    """Train what is missing, print the tables, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets, a folder each")
    parser.add_argument("--datasets", nargs="*", default=list(DATASETS), choices=DATASETS)
    parser.add_argument("--heads", nargs="+", default=list(HEADS), choices=HEADS)
    parser.add_argument("--rates", nargs="+", type=float, default=list(RATES), help="of the head")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("benchmarks/why_spread.jsonl"), help="finished trials")
    args = parser.parse_args()
    for name in args.datasets:
        run_missing(name, args.heads, args.rates, args.seeds, args.data, args.runs)
    text = f"{scores(kept(args.runs))}\n\n{ranks(kept(args.runs))}"
    print(text)
    write_section("Why spread, and what beats it", explained(__doc__), text)


if __name__ == "__main__":
    main()
