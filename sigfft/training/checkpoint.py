"""Checkpoints through Orbax: written beside training, sealed, and checked before use."""

import contextlib
import dataclasses
import functools
import gc
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from jax.sharding import SingleDeviceSharding

from sigfft.training import seal
from sigfft.training.model import ModelParams
from sigfft.training.processes import is_first_process
from sigfft.training.step import TrainState

_LOG = logging.getLogger(__name__)
_LONGEST = 3800  # bytes of a folder's path: files below have up to 200 more, of 4,096 in all


class Progress(NamedTuple):
    """Where a run stands, besides its state."""

    best_metric: float = -float("inf")  # best dev metric so far; -inf before the first evaluation
    best_step: int = 0  # the step that reached it
    stale_evaluations: int = 0  # evaluations since
    seconds: float = 0.0  # time spent in training, compilation included, evaluations and checkpoints not
    metric: float = -float("inf")  # dev metric of the last evaluation
    evaluated_step: int = 0  # the step of it
    losses: tuple[float, ...] = ()  # of the steps since the last line of the log
    gradient_norm: float = 0.0  # of the last of them


class DamagedError(ValueError):
    """A checkpoint is not what was saved."""


class Checkpoints:
    """The checkpoints of one head: the latest ones, and for each of them the best so far, with parameters alone.

    They are written while training goes on, and a process that is killed leaves those before. The directory is made if
    it is not there, unless it is only read. `keep` of the latest are kept.
    """

    def __init__(self, directory: Path, keep: int = 1, read_only: bool = False):
        check_path(directory)
        self.directory = directory.absolute()  # and not resolved: a link may stand for a path that cannot be
        self._policy = _Needed(keep)
        reading = {"read_only": True, "create": False, "save_interval_steps": 0}
        options = reading if read_only else {"create": True, "cleanup_tmp_directories": True}
        managing = ocp.CheckpointManagerOptions(preservation_policy=self._policy, **options)
        with _quiet():  # about metadata that it cannot read, and does not need
            self._manager = ocp.CheckpointManager(self.directory, options=managing)
        for step in self._manager.all_steps():
            with contextlib.suppress(DamagedError):  # which will be said when it is asked for
                self._policy.best[step] = self._content(step)[0].best_step

    def save(self, state: TrainState, progress: Progress, shapes: TrainState) -> None:
        """Begins to write a checkpoint of the state's step, in place of one that is there; ends what was begun before.

        Args:
          state: as it is placed on devices, or on the host; it may be donated as soon as this returns.
          progress: where the run stands.
          shapes: of the state, without the rows that fill up devices.

        Raises:
          OSError: this checkpoint, or the one before, could not be written.
        """
        step, params, rest = int(state.step), state.params, _rest(state)
        arrays = seal.digests(params, shapes.params) | seal.digests(rest, _rest(shapes))
        content = seal.sealed({"progress": progress._asdict(), "arrays": arrays})
        items = {"params": ocp.args.StandardSave(params), "rest": ocp.args.StandardSave(rest)}
        with self._writing(step):
            self._manager.wait_until_finished()
            if step in self._manager.all_steps():
                self._manager.delete(step)
            self._drop_optimizers()
            self._policy.best[step] = progress.best_step
            args = ocp.args.Composite(**items, seal=ocp.args.JsonSave(content))
            self._manager.save(step, args=args, force=True)

    def newest(self, layout: TrainState, shapes: TrainState) -> tuple[TrainState, Progress] | None:
        """The last state and progress that are whole, or None where nothing was saved.

        Damaged ones are named in a warning and set aside. Where the best one of then is lost, see `best`.

        Args:
          layout: shapes, dtypes and shardings of the state, as it is to be placed on devices.
          shapes: of the state, without the rows that fill up devices.

        Raises:
          ValueError: no checkpoint is whole, or they are of another model.
        """
        damaged: dict[int, str] = {}
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                state, progress = self.restore(layout, shapes, step)
            except DamagedError as error:
                damaged[step] = str(error)
                continue
            self._set_aside(damaged)
            return state, self.best(progress, step, shapes.params)[1]
        if damaged:
            raise ValueError(
                f"no checkpoint in {self.directory} can be gone on from ({'; '.join(damaged.values())}); "
                "put a copy in its place, or delete that folder to train this head anew"
            )
        return None

    def restore(self, layout: TrainState, shapes: TrainState, step: int) -> tuple[TrainState, Progress]:
        """The state and progress saved at a step; arguments as for `newest`.

        Raises:
          DamagedError: it cannot be read, or is not what was saved.
          ValueError: it is of another model.
        """
        progress, arrays = self._content(step)
        wanted = {"params": shapes.params, "rest": _rest(shapes)}
        read = self._read(step, {"params": layout.params, "rest": _rest(layout)}, wanted, arrays)
        return TrainState(read["rest"]["step"], read["params"], read["rest"]["optimizer"]), progress

    def restore_params(self, shapes: ModelParams, step: int) -> ModelParams:
        """The parameters alone of a step, on one device; `shapes` are theirs, and errors as in `restore`."""
        place = SingleDeviceSharding(jax.local_devices()[0])
        layout = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), shapes)
        return self._read(step, {"params": layout}, {"params": shapes}, self._content(step)[1])["params"]

    def best(self, progress: Progress, step: int, shapes: ModelParams) -> tuple[ModelParams | None, Progress]:
        """The parameters of the best checkpoint, or None where that is `step`; and the progress of that step.

        Where the best one is damaged, which a warning says, the step takes its place, with its metric if it has one.
        """
        if progress.best_step in (0, step):
            return None, progress
        try:
            return self.restore_params(shapes, progress.best_step), progress
        except DamagedError as error:
            _LOG.warning("%s; it was the best one, and step %d takes its place", error, step)
            metric = progress.metric if progress.evaluated_step == step else -float("inf")
            return None, progress._replace(best_step=step, best_metric=metric, stale_evaluations=0)

    def finish(self) -> None:
        """Waits for what is being written. Raises OSError where that failed."""
        with self._writing(self._manager.latest_step()):
            self._manager.wait_until_finished()
            self._drop_optimizers()

    def close(self) -> None:
        """Waits for writes and releases the directory."""
        with self._writing(self._manager.latest_step()):
            self._manager.close()

    def _content(self, step: int) -> tuple[Progress, dict[str, str] | None]:
        """Progress, and digests of arrays by their names; None where a version wrote it that had no seals."""
        if (self.directory / str(step) / "state").exists():
            return Progress(**self._restored(step, progress=ocp.args.JsonRestore())["progress"]), None
        document = self._restored(step, seal=ocp.args.JsonRestore())["seal"]
        try:
            content = seal.opened(document)
        except ValueError as error:
            raise self._damaged(step, error) from error
        progress = content["progress"]
        return Progress(**progress | {"losses": tuple(progress["losses"])}), content["arrays"]

    def _read(self, step: int, layout: dict[str, Any], shapes: dict[str, Any], arrays: dict[str, str] | None) -> Any:
        """The items of a step that `layout` names, digests compared."""
        if arrays is None:
            state = {"params": layout["params"]} | layout.get("rest", {})
            loose = functools.partial(dataclasses.replace, strict=False)  # rows may be filled up for devices
            restore_args = jax.tree.map(loose, ocp.checkpoint_utils.construct_restore_args(state))
            args = ocp.args.PyTreeRestore(state, restore_args=restore_args, partial_restore=True)
            read = self._restored(step, state=args)["state"]
            return {"params": read["params"], "rest": read}
        kinds = {name: text for item in shapes.values() for name, text in seal.kinds(item).items()}
        stored = {name: arrays[name].rpartition(" ")[0] for name in kinds.keys() & arrays.keys()}
        if stored != kinds or ("rest" in layout and arrays.keys() != kinds.keys()):
            raise ValueError(f"checkpoint {step} in {self.directory} is of another model; give the config it was of")
        wanted = {name: ocp.args.StandardRestore(item, strict=False) for name, item in layout.items()}
        read = self._restored(step, **wanted)
        for item, like in shapes.items():
            for name, digest in seal.digests(read[item], like).items():
                if arrays[name] != digest:
                    raise self._damaged(step, f"the values of {name} are not those that were saved")
        return read

    def _restored(self, step: int, **items: Any) -> Any:
        """What Orbax reads."""
        with _quiet():
            try:
                return self._manager.restore(step, args=ocp.args.Composite(**items))
            except (MemoryError, jax.errors.JaxRuntimeError):
                raise
            except Exception as error:  # Orbax and TensorStore raise many kinds; each means that this cannot be read
                reason = str(error)
            gc.collect()  # asyncio complains of futures as they go
        raise self._damaged(step, reason)

    def _damaged(self, step: int, reason: object) -> DamagedError:
        return DamagedError(f"checkpoint {step} in {self.directory} is damaged: {' '.join(str(reason).split())[:200]}")

    def _set_aside(self, damaged: dict[int, str]) -> None:
        """Renames checkpoints, so that their steps can be saved again."""
        for step, reason in damaged.items():
            _LOG.warning("%s; it is set aside as %d.damaged, and an older one taken", reason, step)
            if is_first_process():
                aside = self.directory / f"{step}.damaged"
                shutil.rmtree(aside, ignore_errors=True)
                os.rename(self.directory / str(step), aside)
        if damaged:
            multihost_utils.sync_global_devices("damaged checkpoints are set aside")
            self._manager.reload()

    def _drop_optimizers(self) -> None:
        """Of what is kept only as a best one, parameters are enough."""
        for step in self._policy.only_best(self._manager.all_steps()) if is_first_process() else ():
            if (rest := self.directory / str(step) / "rest").exists():
                shutil.rmtree(rest)

    @contextlib.contextmanager
    def _writing(self, step: int | None) -> Iterator[None]:
        try:
            yield
            return
        except Exception as error:  # of many kinds, a full disk's among them
            reason = " ".join(str(error).split())[:200]
        with _quiet():
            gc.collect()  # asyncio complains of futures as they go, and what they hold goes with them
        raise OSError(
            f"cannot write checkpoint {step} in {self.directory} ({reason}); "
            "free space or mend the disk, and go on with --resume from the last that is whole"
        )


@dataclasses.dataclass
class _Needed:
    """Which checkpoints are kept: the latest, and for each of them the best of its time."""

    keep: int
    best: dict[int, int] = dataclasses.field(default_factory=dict)  # by step, as far as known

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> Sequence[bool]:
        """For Orbax: whether each checkpoint is kept."""
        steps = [checkpoint.step for checkpoint in checkpoints]
        latest = sorted(steps)[-self.keep :]
        needed = {*latest, *(self.best.get(step) for step in latest)}
        return [step in needed for step in steps]

    def only_best(self, steps: Sequence[int]) -> list[int]:
        """Those that are not among the latest."""
        return sorted(steps)[: -self.keep]


def check_path(directory: Path) -> None:
    """Raises ValueError for a folder below which TensorStore would write elsewhere, or find nothing again."""
    path = str(directory.absolute())
    reason = next((f"{part!r} in it" for part in ("[", "\\", ":/") if part in path), "")
    if len(os.fsencode(path)) > _LONGEST:
        reason = f"more than {_LONGEST} bytes"
    elif os.fsencode(path) != path.encode(errors="replace"):
        reason = "bytes that are no UTF-8"
    if reason:
        raise ValueError(
            f"no checkpoint can be kept below {path[:200]!r}, with {reason}; take another folder or a link"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within the block Orbax and asyncio complain to nobody: whoever reads says in one line what is wrong."""
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
    before, hook = [logger.disabled for logger in loggers], sys.unraisablehook
    try:
        for logger in loggers:
            logger.disabled = True
        sys.unraisablehook = lambda _: None  # of futures of a read that failed
        yield
    finally:
        sys.unraisablehook = hook
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


def _rest(state: TrainState) -> dict[str, Any]:
    """What a checkpoint holds besides parameters."""
    return {"step": state.step, "optimizer": state.optimizer}
