"""Which runs a sweep has: heads by learning rates and seeds, with one encoder for all."""

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sigfft.data import Dataset
from sigfft.data.digests import fingerprint
from sigfft.heads import KINDS, Head, Service
from sigfft.training.arguments import chosen
from sigfft.training.config import Config, HeadConfig
from sigfft.training.config_checks import check_values
from sigfft.training.encoder import WIDTH, PureEncoder, make_encoder
from sigfft.training.experiment import check_stopping, load_splits, metrics_of, with_dev
from sigfft.training.given import most_embedding
from sigfft.training.model import Model, make_head
from sigfft.training.settled import settle
from sigfft.training.step import make_loss
from sigfft.training.sweep.families import FAMILIES, WITHOUT_SIZE, Sizes
from sigfft.training.sweep.folder import Rate, Sweep, SweptHead
from sigfft.training.thresholds import check_thresholding

_SUCH = {"families": "bottleneck,dft_spread", "dims": "25,50", "seeds": "0,1,2", "rates": "0.25,0.5,1,2,4"}


class Grid(NamedTuple):
    """What a sweep tries: each family at each d, at each rate, with each seed."""

    families: Sequence[str]
    dims: Sequence[int]
    seeds: Sequence[int]
    rates: Sequence[float]  # factors on the rates that a config settles on for a head


def planned(config: Config, grid: Grid, path: Path) -> Sweep:
    """The sweep of a config: every head at every rate and seed, all with features as wide as the widest needs.

    Raises:
      ValueError: what the grid or the config asks for cannot be, or there is no dev split.
    """
    _check_grid(grid)
    _check_config(config)
    for seed in grid.seeds:
        check_values(dataclasses.replace(config, seed=seed))
    config = dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, nearest=0))
    first = dataclasses.replace(config, seed=grid.seeds[0])
    given = load_splits(first)
    splits = with_dev(given, first)
    if "dev" not in splits:
        raise ValueError("a sweep chooses rates on a dev split, which this data set lacks; set data.dev_share=0.1")
    train, names = splits["train"], _names(grid)
    encoder, heads = _with_encoder(config, train, names)
    if config.encoder.dim < 0 and "dim" in encoder.arguments:
        width = dataclasses.replace(config.encoder, dim=encoder.arguments["dim"])
        config = dataclasses.replace(config, encoder=width)
    measured = dataclasses.replace(config.eval, loss=True)
    config = dataclasses.replace(config, baseline=HeadConfig(kind="none"), eval=measured)
    metrics = metrics_of(config, train)
    swept = []
    for (family, d), (own, head) in zip(names, heads, strict=True):
        settled = settle(config, splits, Model(encoder, head))
        check_stopping(settled, metrics, True)
        optim = settled.optim
        rates = tuple(
            Rate(factor, _rounded(factor * optim.learning_rate), _rounded(factor * optim.head_learning_rate))
            for factor in grid.rates
        )
        swept.append(SweptHead(family, d, own, rates))
    sweep = Sweep(path, config, tuple(swept), tuple(grid.seeds), fingerprint(given))
    slugs = [run.slug for head in sweep.heads for run in sweep.runs(head)]
    if clashes := sorted({slug for slug in slugs if slugs.count(slug) > 1}):
        raise ValueError(f"two runs would share the folder {clashes[0]}; give seeds and rates that differ as printed")
    return sweep


def _with_encoder(config: Config, train: Dataset, names: list[tuple[str, int | None]]) -> tuple[PureEncoder, list]:
    """The encoder of all heads, and each head with its config; features are as many as the widest needs.

    Raises:
      ValueError: the encoder has fewer, and the config or a file says how many.
    """
    encoder = make_encoder(config.encoder, train)
    heads = _heads(config, train, encoder.feature_dim, names)
    if config.encoder.dim < 0:
        tried: dict[int, tuple[PureEncoder, list]] = {}
        while (width := _least_width(encoder, heads)) not in tried:
            encoder = encoder.with_width(width)
            heads = _heads(config, train, encoder.feature_dim, names)
            tried[width] = encoder, heads
        # Of other features, slack that matches parameters may be another: of widths that take turns it is the widest.
        encoder, heads = tried[max(itertools.dropwhile(lambda other: other != width, tried))]
    widest = max(_sized(heads), key=lambda head: head.dim, default=None)
    if widest is not None and widest.dim > encoder.feature_dim:
        raise ValueError(
            f"{encoder.feature_dim} features are fewer than the {widest.dim} dimensions of {widest.name}; "
            "set encoder.dim=-1 for as many as the widest head needs, or leave it out"
        )
    return encoder, heads


def _least_width(encoder: PureEncoder, heads: list[tuple[HeadConfig, Head]]) -> int:
    """The least features with which the encoder serves these heads."""
    least = [Service(head, encoder.domain).least if head.max_cardinality else head.dim for head in _sized(heads)]
    return max([WIDTH, *least])


def _sized(heads: list[tuple[HeadConfig, Head]]) -> list[Head]:
    return [head for own, head in heads if own.kind != "sigmoid"]


def _heads(
    config: Config, train: Dataset, feature_dim: int, names: list[tuple[str, int | None]]
) -> list[tuple[HeadConfig, Head]]:
    head = config.head if config.head.kind == "dft" else HeadConfig(random_start=config.head.random_start)
    bare = make_head(dataclasses.replace(head, spread=0, slack=0, embedding=0, slack_start=""), train, feature_dim)
    sizes, made = Sizes(train.n_labels, bare.max_cardinality, feature_dim, most_embedding(train)), []
    for family, d in names:
        try:
            own = FAMILIES[family](head, d or 0, sizes)
            made.append((own, make_head(own, train, feature_dim)))
        except ValueError as error:
            raise ValueError(f"{family}{'' if d is None else f' at d={d}'}: {error}") from error
    return made


def _check_grid(grid: Grid) -> None:
    sized = any(family not in WITHOUT_SIZE for family in grid.families)
    for name, given in grid._asdict().items():
        if not given and (sized or name != "dims"):
            raise ValueError(f"{name} is empty; give at least one, such as {name}={_SUCH[name]}")
        if twice := [value for value in given if list(given).count(value) > 1]:
            raise ValueError(f"{name} has {twice[0]} twice")
    if unknown := [family for family in grid.families if family not in FAMILIES]:
        raise ValueError(f"there is no family {unknown[0]!r}; expected {', '.join(FAMILIES)}")
    for name, least in {"dims": 1, "seeds": 0}.items():
        if low := [value for value in getattr(grid, name) if value < least]:
            raise ValueError(f"{name} must be at least {least}; given {low[0]}")
    if wrong := [rate for rate in grid.rates if not 0 < rate < float("inf")]:
        raise ValueError(f"rates are factors above 0; given {wrong[0]}")


def _check_config(config: Config) -> None:
    """Raises ValueError for what every run would refuse, or what a sweep decides itself."""
    check_values(config)
    check_thresholding(config.eval)
    make_loss(config.optim)
    chosen(KINDS, config.head.kind, "head.kind")
    if config.eval.patience == 0:
        raise ValueError(
            "eval.patience=0 trains for fixed steps; a sweep trains until dev stops improving: set it to 5"
        )
    if config.encoder.nearest > 0:
        raise ValueError(
            f"encoder.nearest={config.encoder.nearest} is for one DFT head, and a sweep gives all heads the same "
            "features; leave it at 0 or -1"
        )
    if config.tune.trials:
        raise ValueError(f"tune.trials={config.tune.trials} searches rates, as a sweep does itself; leave it at 0")


def _names(grid: Grid) -> list[tuple[str, int | None]]:
    """Each family with each d, in order of d, so that what is compared is trained together; then those without."""
    sized = [(family, d) for d in grid.dims for family in grid.families if family not in WITHOUT_SIZE]
    return [*sized, *((family, None) for family in grid.families if family in WITHOUT_SIZE)]


def _rounded(rate: float) -> float:
    return float(f"{rate:.3g}")
