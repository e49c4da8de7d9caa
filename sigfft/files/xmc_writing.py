"""Files in the format of the Extreme Classification repository, as `files.xmc` reads them."""

import gzip
import itertools
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from sigfft.files.atomic import replacing
from sigfft.files.xmc import XmcData


def write_xmc(path: Path, data: XmcData) -> None:
    """Writes points to a gzipped file, whole or not at all: `xmc.parse` gives the same arrays, bit for bit."""
    values = shortest(data.feature_values)
    with replacing(path) as part, part.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        file.write(f"{len(data)} {data.n_features} {data.n_labels}\n".encode())
        bounds = zip(itertools.pairwise(data.label_indptr), itertools.pairwise(data.feature_indptr), strict=True)
        for (label, next_label), (feature, next_feature) in bounds:
            labels = ",".join(map(str, data.label_ids[label:next_label]))
            ids = data.feature_ids[feature:next_feature].tolist()
            pairs = [f" {i}:{value}" for i, value in zip(ids, values[feature:next_feature], strict=True)]
            file.write(f"{labels}{''.join(pairs) or ' '}\n".encode())


def shortest(values: Float32[np.ndarray, " values"]) -> list[str]:
    """The shortest decimals that are these float32 numbers and no others."""
    return values.astype("U32").tolist()
