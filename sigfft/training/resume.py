"""Whether a run starts in a folder or goes on there, and what may have changed since it began."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from sigfft.heads import KINDS
from sigfft.training.arguments import parameters_of
from sigfft.training.config import Config
from sigfft.training.config_checks import flat
from sigfft.training.settled import USUAL_STEPS
from sigfft.training.workdir import FORMAT, Workdir, versions

_LOG = logging.getLogger(__name__)
RESUME = ("auto", "always", "never")
# Keys that may differ: results do not depend on them but for rounding, or on `patience` only as they ask for it.
# `optim.steps` may grow as well, but of a run that was tuned: its choice is one of steps, too.
_FREE = {
    *("data.cache_dir", "encoder.cached", "optim.block_size", "optim.label_shards", "optim.step_timeout"),
    *("eval.keep", "eval.log_every", "eval.patience", "checkpoint.every_minutes"),
}


def begun_run(folder: Workdir, config: Config, resume: str | bool) -> dict[str, Any] | None:
    """What config.json says of the origin of the run to go on with; None: a run starts.

    Args:
      folder: of the run.
      config: of the run that starts or goes on.
      resume: "auto" goes on where there is a run, and starts where there is nothing; "always", or True, wants a run
        there; "never", or False, wants none.

    Raises:
      ValueError: the folder holds something else, a run of another config, or one of another version that would not go
        on here as it began; or it does not hold what `resume` wants.
    """
    if isinstance(resume, bool):
        resume = "always" if resume else "never"
    if resume not in RESUME:
        raise ValueError(f"resume={resume!r} must be one of: {', '.join(RESUME)}")
    if not folder.config.exists():
        if resume == "always":
            raise ValueError(f"{folder.path} holds no run to resume; start one there without resuming")
        if not folder.is_new():
            raise ValueError(f"{folder.path} is not empty and holds no run; give a new folder as the workdir")
        return None
    if resume == "never":
        raise ValueError(f"{folder.path} holds a run already; resume it, or give another workdir")
    stored = folder.read(folder.config)
    written, origin = stored.pop("format", 0), stored.pop("origin", {})
    parts = [origin.get(name) or {} for name in ("versions", "data")] if isinstance(origin, dict) else [origin]
    if type(written) is not int or not all(isinstance(part, dict) for part in parts):
        raise ValueError(
            f"{folder.config}: format must be a whole number, and origin an object of objects, as a run writes them"
        )
    changed = differing(config, stored)
    steps, steps_before = changed.get("optim.steps", (0, 0))
    left_open = steps_before == -1
    at_most = USUAL_STEPS if left_open else steps_before
    longer = type(at_most) is int and steps > at_most > 0 and not config.tune.trials
    if longer:
        del changed["optim.steps"]
    if changed:
        told = ", ".join(f"{key} ({ours!r}, not {other!r})" for key, (ours, other) in changed.items())
        raise ValueError(f"{folder.path} holds a run of another config; it differs in {told}")
    if reason := _cannot_go_on(config, written):
        raise ValueError(
            f"{folder.path} holds a run that another version of sigfft began, and {reason}; "
            "finish it with that version, or train anew in another folder"
        )
    if longer:
        _LOG.warning(
            "optim.steps is %d, and was %s: the cosine of the learning rate depends on it, as does what the config "
            "leaves open, so that the run does not end as one of %d steps would have from its start",
            *(steps, "left open" if left_open else steps_before, steps),
        )
    return origin


def check_origin(folder: Workdir, origin: Mapping[str, Any], data: Mapping[str, str]) -> None:
    """Says in the log where software has changed since a run's origin, and refuses data that have.

    Args:
      folder: of the run.
      origin: what `begun_run` gave.
      data: the `fingerprint` of the splits to go on with.

    Raises:
      ValueError: a split is not what it was.
    """
    before = origin.get("data") or data  # those of earlier versions have none
    replaced = sorted(name for name in before.keys() | data.keys() if before.get(name) != data.get(name))
    if replaced:
        raise ValueError(
            f"the data of the run in {folder.path} have been replaced: {', '.join(replaced)} not as it was; "
            "bring them back, or train anew in another folder"
        )
    now = versions()
    before = origin.get("versions") or now
    changed = [f"{name} {now[name]}, not {before.get(name)}" for name in now if now[name] != before.get(name)]
    if changed:
        _LOG.warning("this run goes on with other software, and may round otherwise: %s", ", ".join(changed))


def differing(config: Config, stored: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The values that may not differ and do, by key: the config's, and that of a stored one's dictionary.

    A key that is not stored is one of a later version, and has its default there.
    """
    mine, theirs = flat(dataclasses.asdict(config)), flat(dataclasses.asdict(Config())) | flat(stored)
    keys = sorted((mine.keys() | theirs.keys()) - _FREE)
    return {key: (mine.get(key), theirs.get(key)) for key in keys if mine.get(key) != theirs.get(key)}


def _cannot_go_on(config: Config, written: int) -> str:
    """Why a run that another version began would not go on here as it began; "" where it would."""
    if written > FORMAT:
        return f"its format {written} is later than {FORMAT}, the last that this one reads"
    for key, head in {"head": config.head, "baseline": config.baseline}.items():
        if written < 1 and head.kind in KINDS and "n_fft" in parameters_of(KINDS[head.kind]) and not head.n_fft:
            return f"{key}.n_fft=0 meant the number of labels there"
    return "its checkpoints keep clipping in another place" if written < 1 and config.optim.clip_norm else ""
