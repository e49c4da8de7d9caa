"""An export, reloaded: it answers with labels, scores, sets and names."""

import os
import reprlib
from typing import Any, NamedTuple, cast

import jax
import numpy as np
from jax import export
from jaxtyping import Float

from sigfft.heads import Head, Params
from sigfft.heads.saved import make
from sigfft.inference import PredictedSets, TopLabels
from sigfft.serving import archive
from sigfft.serving.batches import Inputs, InputSpec, padded

_HEAD = "head/"


class Named(NamedTuple):
    """A label by its name, and its probability."""

    name: str
    probability: float


class Served:
    """What `sigfft.serving.save` wrote, ready to answer. Results are NumPy arrays.

    Inputs are a batch like the example that was saved, of any size. They are padded to a power of two, and the first
    batch of each padded size compiles. All methods may be called from several threads.

    Attributes:
      names: of the labels; None: none were saved.
      n_labels: number of labels.
      inputs: what a batch must be.
      versions: of sigfft and JAX that wrote the file.
      platforms: that it was exported for.
    """

    def __init__(self, contents: archive.Contents, functions: dict[str, export.Exported]):
        about = contents.about
        self.names: list[str] | None = about["names"]
        self.n_labels: int = about["n_labels"]
        self.inputs = [InputSpec(name, tuple(shape), dtype) for name, shape, dtype in about["inputs"]]
        self.versions: dict[str, str] = about["versions"]
        self.platforms: tuple[str, ...] = functions["logits"].platforms
        if self.names is not None and not (
            isinstance(self.names, list)
            and len(self.names) == self.n_labels
            and all(isinstance(name, str) for name in self.names)
        ):
            raise ValueError(f"names are not {self.n_labels} strings")
        self._head = about["head"]
        self._arrays = {name: jax.device_put(array) for name, array in contents.arrays.items()}
        self._functions = {name: jax.jit(function.call) for name, function in functions.items()}

    def logits(self, inputs: Inputs) -> Float[np.ndarray, "batch labels"]:
        """One logit a label.

        Raises:
          ValueError: inputs of another shape or dtype.
        """
        return cast(np.ndarray, self._run("logits", inputs))

    def top_k(self, inputs: Inputs) -> TopLabels:
        """The labels of the largest logits, as many as were asked for when the file was saved.

        Raises:
          ValueError: as `logits`.
        """
        return cast(TopLabels, self._run("top_k", inputs))

    def label_sets(self, inputs: Inputs) -> PredictedSets:
        """The labels whose logit exceeds their threshold.

        Raises:
          ValueError: as `logits`.
        """
        return cast(PredictedSets, self._run("label_sets", inputs))

    def answer(self, inputs: Inputs, top: int | None = None) -> list[list[Named]]:
        """For each example the names and probabilities of its labels, most probable first.

        Args:
          inputs: a batch.
          top: so many labels, whatever their thresholds; None: the label set. Where no names were saved, the ids are.

        Raises:
          ValueError: as `logits`; or `top` is less than 1, or more than the file was saved for.
        """
        found = self.label_sets(inputs) if top is None else self.top_k(inputs)
        width = found.labels.shape[1]
        if top is not None and not 1 <= top <= width:
            raise ValueError(
                f"top={top} labels are asked for; this file was saved with top={width}: expected 1 .. {width}"
            )
        rows = zip(np.asarray(found.labels), np.asarray(found.scores, np.float64), strict=True)
        return [self._named(labels, scores)[:top] for labels, scores in rows]

    def trained_head(self) -> tuple[Head, Params]:
        """The head and its parameters, such as `sigfft.check_head` takes.

        Raises:
          ValueError: the head is not of this package.
        """
        params = {name.removeprefix(_HEAD): a for name, a in self._arrays.items() if name.startswith(_HEAD)}
        return make(self._head["kind"], self._head["arguments"]), params

    def _run(self, name: str, inputs: Inputs) -> Any:
        batch, size = padded(self.inputs, inputs)
        result: Any = jax.device_get(self._functions[name](self._arrays, batch))
        return jax.tree.map(lambda array: array[:size], result)

    def _named(self, labels: np.ndarray, scores: np.ndarray) -> list[Named]:
        order = np.argsort(-scores, kind="stable")
        order = order[labels[order] < self.n_labels]
        probabilities = np.exp(-np.logaddexp(0, -scores[order]))
        ids = labels[order].tolist()
        names = map(str, ids) if self.names is None else (self.names[i] for i in ids)
        return [Named(name, probability) for name, probability in zip(names, probabilities.tolist(), strict=True)]


def load(path: str | os.PathLike) -> Served:
    """Reads what `sigfft.serving.save` wrote. No training code is imported, and nothing is unpickled.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is damaged or of another kind; this JAX cannot read its functions; or it was exported for
        other platforms than this process runs on.
    """
    contents = archive.read(path)
    try:
        functions = {name: export.deserialize(bytearray(data)) for name, data in contents.functions.items()}
    except Exception as error:  # JAX and flatbuffers raise many kinds; each means that this cannot be read
        wrote = reprlib.repr(contents.about.get("versions"))
        raise ValueError(f"{path}: JAX {jax.__version__} cannot read what {wrote} wrote: {error}") from error
    try:
        served = Served(contents, functions)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not as sigfft.serving.save writes it ({type(error).__name__}: {error})") from error
    here = export.default_export_platform()
    if here not in served.platforms:
        raise ValueError(
            f"{path} was exported for {', '.join(served.platforms)}, and this process runs on {here}; "
            f"save it again with platforms={(*served.platforms, here)}, or set JAX_PLATFORMS"
        )
    return served
