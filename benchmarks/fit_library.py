"""Train a linear tree of napkinXC or PECOS on one data set and keep the five best labels of each test example.

    LIBRARIES/bin/python benchmarks/fit_library.py FOLDER SYSTEM OUT.npz

`bench_libraries.py` starts it, in the environment of the libraries: it imports them, NumPy and SciPy, and no part of
sigfft. FOLDER holds features and label sets as sparse matrices, `{train,test}.{features,labels}.npz`. OUT.npz holds
`labels` and `scores`, (examples, 5), best first; where a system returns fewer labels, -1 and -inf. The last line that
is printed is a JSON object of seconds, of CPU seconds, which are those of all threads and of children, and of versions.
"""

import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.sparse

TOP = 5
Predict = Callable[[scipy.sparse.csr_matrix], scipy.sparse.csr_matrix]


def plt(features: scipy.sparse.csr_matrix, labels: scipy.sparse.csr_matrix, folder: str, **options: object) -> Predict:
    """A probabilistic label tree of napkinXC."""
    from napkinxc.models import PLT

    model = PLT(folder, seed=0, **options)
    model.fit(features, [row.tolist() for row in np.split(labels.indices, labels.indptr[1:-1])])
    model.load()

    def predict(features: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
        found = model.predict_proba(features, top_k=TOP)
        sizes = [len(row) for row in found]
        flat = [pair for row in found for pair in row]
        ids, scores = (np.array(column) for column in zip(*flat, strict=True))
        return scipy.sparse.csr_matrix((scores, ids, np.cumsum([0, *sizes])), (len(found), labels.shape[1]))

    return predict


def xr_linear(
    features: scipy.sparse.csr_matrix,
    labels: scipy.sparse.csr_matrix,
    folder: str,
    nr_splits: int = 16,
    negatives: str = "tfn",
    beam: int = 10,
    seeds: int = 1,
    unit_rows: bool = False,
) -> Predict:
    """XR-Linear of PECOS, as `python -m pecos.xmc.xlinear.train` trains it; the mean of the scores of `seeds` trees."""
    from pecos.utils.smat_util import CsrEnsembler
    from pecos.xmc import Indexer, LabelEmbeddingFactory
    from pecos.xmc.base import HierarchicalKMeans
    from pecos.xmc.xlinear.model import XLinearModel
    from sklearn.preprocessing import normalize

    def scaled(features: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
        return normalize(features) if unit_rows else features

    features, columns = scaled(features), labels.tocsc()
    embedding = LabelEmbeddingFactory.create(columns, features, method="pifa")
    models = []
    for seed in range(seeds):
        tree = HierarchicalKMeans.TrainParams(nr_splits=nr_splits, seed=seed)
        chain = Indexer.gen(embedding, train_params=tree)
        options = {"nr_splits": nr_splits, "negative_sampling_scheme": negatives, "threshold": 0.1}
        models.append(XLinearModel.train(features, columns, C=chain, beam_size=beam, only_topk=20, **options))

    def predict(features: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
        features = scaled(features)
        found = [model.predict(features, beam_size=beam, only_topk=20) for model in models]
        return found[0] if seeds == 1 else CsrEnsembler.average(*found)

    return predict


MODULES = {plt: ("napkinxc.models",), xr_linear: ("pecos.xmc.xlinear.model", "sklearn.preprocessing")}
JMLR_TREE = {"ensemble": 3, "arity": 16, "kmeans_balanced": False}
SYSTEMS: dict[str, tuple[Callable[..., Predict], dict[str, object]]] = {
    "plt": (plt, {}),
    "plt_3_log": (plt, JMLR_TREE | {"liblinear_c": 12}),
    "plt_3_hinge": (plt, JMLR_TREE | {"loss": "l2", "liblinear_c": 1}),
    "xr": (xr_linear, {}),
    "xr_3": (xr_linear, {"nr_splits": 32, "negatives": "tfn+man", "beam": 50, "seeds": 3, "unit_rows": True}),
}


def main(folder: Path, system: str, out: Path) -> None:
    """Train, predict, keep the best labels, and print what it took."""
    train, train_labels, test = (
        scipy.sparse.load_npz(folder / f"{name}.npz") for name in ("train.features", "train.labels", "test.features")
    )
    fit, options = SYSTEMS[system]
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as models:
        with measured("import", spent):
            for module in MODULES[fit]:
                importlib.import_module(module)
        with measured("train", spent):
            predict = fit(train, train_labels, f"{models}/model", **options)
        with measured("predict", spent):
            found = predict(test)
    labels, scores = best(found)
    np.savez(out, labels=labels, scores=scores)
    versions = {name: version(name) for name in ("napkinxc", "libpecos", "numpy", "scipy")}
    print(json.dumps(spent | {"cpu_seconds": sum(os.times()[:4]), "versions": versions}))


@contextmanager
def measured(name: str, spent: dict[str, float]) -> Iterator[None]:
    """Adds the seconds and CPU seconds of what is done inside."""
    begun, before = time.perf_counter(), sum(os.times()[:4])
    yield
    spent[f"{name}_seconds"] = time.perf_counter() - begun
    spent[f"{name}_cpu_seconds"] = sum(os.times()[:4]) - before


def best(found: scipy.sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Ids and scores of the labels of largest score, equal ones by ascending id; each (examples, TOP)."""
    labels = np.full((found.shape[0], TOP), -1, np.int32)
    scores = np.full((found.shape[0], TOP), -np.inf)
    for i in range(found.shape[0]):
        row = slice(found.indptr[i], found.indptr[i + 1])
        ids, values = found.indices[row], found.data[row]
        order = np.lexsort((ids, -values))[:TOP]
        labels[i, : len(order)], scores[i, : len(order)] = ids[order], values[order]
    return labels, scores


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
