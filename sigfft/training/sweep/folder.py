"""The folder of a sweep: sweep.json says which runs it has, and each has a folder of its own beside it."""

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

from sigfft.files import write_text
from sigfft.files.atomic import parts
from sigfft.files.documents import read_object
from sigfft.training.config import CheckConfig, Config, HeadConfig
from sigfft.training.resume import differing
from sigfft.training.workdir import Workdir

FORMAT = 1


class Rate(NamedTuple):
    """A factor on a head's settled learning rates, and what they then are, of its encoder and of itself."""

    factor: float
    learning_rate: float
    head_learning_rate: float


class SweptHead(NamedTuple):
    """A head of a sweep; d is None where its family has no size."""

    family: str
    d: int | None
    config: HeadConfig
    rates: tuple[Rate, ...]

    @property
    def name(self) -> str:
        return self.family if self.d is None else f"{self.family}_d{self.d}"


class SweptRun(NamedTuple):
    """One run of a sweep."""

    head: SweptHead
    rate: Rate
    seed: int

    @property
    def slug(self) -> str:
        """The name of its folder."""
        return f"{self.head.name}_rate{self.rate.factor:g}_seed{self.seed}"


@dataclasses.dataclass(frozen=True)
class Sweep:
    """What is trained below a folder; the first of the seeds is the one that rates are tried with."""

    path: Path
    config: Config  # that all runs share
    heads: tuple[SweptHead, ...]
    seeds: tuple[int, ...]
    data: dict[str, str]  # the `fingerprint` of the splits

    @property
    def file(self) -> Path:
        """What tells of it in its folder."""
        return self.path / "sweep.json"

    @property
    def data_name(self) -> str:
        """What tables call the data: their folder's name, or without one the config's."""
        return Path(self.config.data.dir).name or self.config.name

    def config_of(self, run: SweptRun) -> Config:
        """The config of one of its runs, whose label sets the sweep checks itself."""
        _, encoder, head = run.rate
        optim = dataclasses.replace(self.config.optim, learning_rate=encoder, head_learning_rate=head)
        unchecked = dataclasses.replace(self.config, check=CheckConfig(max_sets=-1))
        return dataclasses.replace(unchecked, seed=run.seed, head=run.head.config, optim=optim)

    def workdir(self, run: SweptRun) -> Workdir:
        return Workdir(self.path / run.slug)

    def failure(self, run: SweptRun) -> Path:
        """The file that says why a run failed, if it did."""
        return self.path / "failed" / f"{run.slug}.json"

    def runs(self, head: SweptHead) -> list[SweptRun]:
        """Every run of a head that there can be, those of the first seed first."""
        return [SweptRun(head, rate, seed) for seed in self.seeds for rate in head.rates]

    def write(self) -> None:
        """Begins the sweep's folder, or goes on there, also with more heads, rates and seeds than before.

        Raises:
          ValueError: the folder holds another sweep, or something else.
        """
        before = read_sweep(self.file) if self.file.exists() else None
        if before is not None and (found := differences(self, before)):
            raise ValueError(f"{self.path} holds another sweep: {'; '.join(found)}")
        if before is None and self._holds_something(self.file):
            raise ValueError(f"{self.path} is not empty and holds no sweep; give a new folder as the workdir")
        if self != before:
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.file, self.to_json())

    def to_json(self) -> str:
        """What `read_sweep` reads."""
        heads = [head._asdict() | {"config": dataclasses.asdict(head.config)} for head in self.heads]
        content = {"format": FORMAT, "data": self.data, "seeds": self.seeds, "heads": heads}
        return json.dumps(content | {"config": dataclasses.asdict(self.config)}, indent=1)

    def elsewhere(self) -> "Sweep":
        """The same without the paths of this machine: of what they lead to the names are left."""
        data, encoder = self.config.data, self.config.encoder
        data = dataclasses.replace(data, dir=Path(data.dir).name, tokenizer=Path(data.tokenizer).name, cache_dir="")
        encoder = dataclasses.replace(encoder, pretrained=Path(encoder.pretrained).name)
        return dataclasses.replace(self, config=dataclasses.replace(self.config, data=data, encoder=encoder))

    def _holds_something(self, file: Path) -> bool:
        """Whether there is more than what a start that was broken off left."""
        return self.path.exists() and (not self.path.is_dir() or bool(set(self.path.iterdir()) - set(parts(file))))


def read_sweep(file: Path) -> Sweep:
    """The sweep that a file tells of: sweep.json of its folder, or NAME.json beside its tables.

    Raises:
      ValueError: there is none, or it is not what this version writes.
    """
    if not file.is_file():
        raise ValueError(f"{file.parent} holds no sweep: {file.name} is missing")
    content = read_object(file)
    if content.get("format") != FORMAT:
        raise ValueError(f"{file} has format {content.get('format')!r}; this version of sigfft reads {FORMAT}")
    try:
        heads = tuple(
            SweptHead(own["family"], own["d"], HeadConfig(**own["config"]), tuple(Rate(*rate) for rate in own["rates"]))
            for own in content["heads"]
        )
        config, seeds = _rebuilt(Config(), content["config"]), tuple(content["seeds"])
        return Sweep(file.parent, config, heads, seeds, content["data"])
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file} is not what this version of sigfft writes: {type(error).__name__}: {error}"
        ) from error


def _rebuilt(default: Any, values: Any) -> Any:
    """A dataclass like the default from its dictionary of JSON, and those inside it likewise."""
    if isinstance(default, tuple):
        return tuple(values)
    if not dataclasses.is_dataclass(default):
        return values
    kind: Any = type(default)
    return kind(**{key: _rebuilt(getattr(default, key), value) for key, value in values.items()})


def differences(sweep: Sweep, before: Sweep) -> list[str]:
    """What keeps a sweep from going on with one that was begun, in words."""
    changed = differing(sweep.config, json.loads(json.dumps(dataclasses.asdict(before.config))))
    found = [f"{key} is {theirs!r} there, and {ours!r} here" for key, (ours, theirs) in changed.items()]
    if (patience := sweep.config.eval.patience) != before.config.eval.patience:
        found.append(f"eval.patience is {before.config.eval.patience} there, and {patience} here")
    if sweep.data != before.data:
        found.append("its data were others")
    if sweep.seeds[0] != before.seeds[0]:
        found.append(f"rates are tried with seed {before.seeds[0]} there, and {sweep.seeds[0]} here")
    if lacking := [str(seed) for seed in before.seeds if seed not in sweep.seeds]:
        found.append(f"it has the seeds {', '.join(lacking)} as well")
    mine = {head.name: head for head in sweep.heads}
    if lacking := [head.name for head in before.heads if head.name not in mine]:
        found.append(f"it has {', '.join(lacking)} as well")
    for head in before.heads:
        own = mine.get(head.name, head)
        if own.config != head.config:
            found.append(f"{head.name} is {head.config} there, and {own.config} here")
        if lacking := [str(rate) for rate in head.rates if rate not in own.rates]:
            found.append(f"{head.name} has {', '.join(lacking)} as well")
    return found
