"""Checkpoints through Orbax: the best and the latest, with what early stopping needs; models of finished runs."""

import contextlib
import operator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from sigfft import heads
from sigfft.training.encoder import stored_encoder
from sigfft.training.model import Model, ModelParams
from sigfft.training.step import TrainState
from sigfft.training.workdir import Workdir


class Progress(NamedTuple):
    """Where a run stands, besides its state."""

    best_metric: float = -float("inf")  # best dev metric so far; -inf before the first evaluation
    best_step: int = 0  # the step that reached it
    stale_evaluations: int = 0  # evaluations since
    seconds: float = 0.0  # time spent in training, compilation included, evaluations and checkpoints not


class Checkpoints:
    """The checkpoints of one head: the latest step's, and that of the best dev metric.

    Their directory is made if it is not there.
    """

    def __init__(self, directory: Path):
        keep, metric = checkpoint_managers.preservation_policy, operator.itemgetter("metric")
        policy = keep.AnyPreservationPolicy([keep.LatestN(1), keep.BestN(get_metric_fn=metric, n=1)])
        options = {"preservation_policy": policy, "best_fn": metric, "enable_async_checkpointing": False}
        self.directory = directory.resolve()
        self._manager = ocp.CheckpointManager(self.directory, options=ocp.CheckpointManagerOptions(**options))

    def save(self, state: TrainState, progress: Progress, metric: float) -> None:
        """Writes a checkpoint of the state's step and drops those that are neither best nor latest."""
        values = jax.device_get(state._asdict())  # arrays of one host each, equal on all of them: the first one writes
        content = {"state": ocp.args.StandardSave(values), "progress": ocp.args.JsonSave(progress._asdict())}
        self._manager.save(int(state.step), args=ocp.args.Composite(**content), metrics={"metric": metric})

    def latest_step(self) -> int | None:
        """The last step saved, or None."""
        return self._manager.latest_step()

    def restore(self, like: TrainState, step: int) -> tuple[TrainState, Progress]:
        """The state and progress saved at a step; `like` is a state of the same shapes, or `jax.eval_shape` of one.

        Raises:
          ValueError: nothing was saved there, or the files are damaged or of another model.
        """
        content = {"state": ocp.args.StandardRestore(_shapes(like._asdict())), "progress": ocp.args.JsonRestore()}
        restored = self._read(step, content)
        return TrainState(**jax.tree.map(jnp.asarray, restored["state"])), Progress(**restored["progress"])

    def restore_params(self, like: Any, step: int) -> Any:
        """The parameters alone of the state saved at a step; `like` and errors as in `restore`."""
        target = {"params": _shapes(like)}
        restore_args = ocp.checkpoint_utils.construct_restore_args(target)
        content = {"state": ocp.args.PyTreeRestore(target, restore_args=restore_args, partial_restore=True)}
        return jax.tree.map(jnp.asarray, self._read(step, content)["state"]["params"])

    def _read(self, step: int, content: dict[str, Any]) -> Any:
        try:
            return self._manager.restore(step, args=ocp.args.Composite(**content))
        except Exception as error:  # Orbax and TensorStore raise many kinds; each means that this cannot be read
            reason = " ".join(str(error).split())[:200]
            raise ValueError(
                f"cannot read checkpoint {step} in {self.directory} ({reason}); "
                "it is damaged or of another model: delete its folder to go on from an older one, or start anew"
            ) from error

    def close(self) -> None:
        """Waits for writes and releases the directory."""
        self._manager.close()


def load_model(workdir: Path | str, name: str | None = None) -> tuple[Model, ModelParams]:
    """A model of a finished run, by its head's name in the run's table, and the parameters of its best checkpoint.

    The default is the last head.

    Raises:
      ValueError: the folder holds no finished run, one of another version, or no head of this name.
    """
    run = Workdir(workdir)
    report, config = run.read(run.report), run.read(run.config)
    try:
        entries = {entry["name"]: entry for entry in report["heads"]}
        if name is not None and name not in entries:
            raise ValueError(f"{workdir} has no head {name!r}; its heads are {', '.join(map(repr, entries))}")
        entry = entries[name] if name is not None else report["heads"][-1]
        head = heads.make(entry["kind"], entry["head"])
        best_step, model = entry["best_step"], Model(stored_encoder(report, config, head.feature_dim), head)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"{workdir}: report.json and config.json are not what this version of sigfft writes "
            f"({type(error).__name__}: {error}); read the run with the version that trained it, or train anew"
        ) from error
    folder = run.checkpoints(model.name)
    if not folder.is_dir():
        raise ValueError(f"{workdir} holds no checkpoints of {model.name!r}: {folder} is missing")
    with contextlib.closing(Checkpoints(folder)) as checkpoints:
        return model, checkpoints.restore_params(jax.eval_shape(model.init, jax.random.key(0)), best_step)


def _shapes(tree: Any) -> Any:
    """Arrays of NumPy without memory: what Orbax is to read, and as what."""
    return jax.tree.map(lambda x: np.broadcast_to(np.zeros((), x.dtype), x.shape), tree)
