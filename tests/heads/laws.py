"""Every head that tests are about. A new head is one line here, and `test_laws.py` holds it to all laws."""

import jax

import sigfft
from sigfft.heads import DFTHead

FEATURES = 4


class Folding(DFTHead):
    """A DFT head that folds its blocks, however few its frequencies."""

    fold_from = 1


HEADS = {
    "sigmoid": sigfft.sigmoid_head(17, feature_dim=FEATURES),
    "bottleneck": sigfft.bottleneck_head(17, 3, feature_dim=FEATURES),
    "bottleneck of one": sigfft.bottleneck_head(13, 1, feature_dim=FEATURES),
    "dft odd prime": sigfft.dft_head(13, 3, feature_dim=FEATURES, n_fft=13),
    "dft even, all columns": sigfft.dft_head(12, 5, feature_dim=FEATURES),
    "dft spread": sigfft.dft_head(101, 3, feature_dim=FEATURES, spread=20),
    "dft slack": sigfft.dft_head(17, 2, feature_dim=FEATURES, spread=2, slack=3, n_fft=17),
    "dft embedding": sigfft.dft_head(17, 2, feature_dim=FEATURES, spread=2, slack=1, embedding=3),
    "dft priors": sigfft.dft_head(17, 2, feature_dim=FEATURES, slack=1, embedding=2, label_priors=True),
    "dft order": sigfft.dft_head(17, 2, feature_dim=FEATURES, slack=2, order=[(5 * i) % 17 for i in range(17)]),
    "dft centred": sigfft.dft_head(17, 1, feature_dim=FEATURES, centred=True),
    "dft folding": Folding(60, 4, feature_dim=FEATURES, spread=7),
    "dft folding, longer": Folding(57, 4, feature_dim=FEATURES, spread=3, slack=3, n_fft=60),
    "retrofit": sigfft.retrofit_head(57, 3, 3, extra_features=1, spread=4),
    "retrofit without bias": sigfft.retrofit_head(17, FEATURES, 2, has_bias=False, n_fft=17),
}

# over blocks of labels
WAYS = [
    "bottleneck",
    "sigmoid",
    "dft slack",
    "dft embedding",
    "dft priors",
    "dft order",
    "dft folding, longer",
    "retrofit",
]


def random_params(head: sigfft.Head, seed: int = 0) -> sigfft.heads.Params:
    """Parameters away from their start, where some are zero."""
    start = jax.jit(head.init)(jax.random.key(seed))
    keys = jax.random.split(jax.random.key(seed + 1), len(start))
    noise = {name: jax.random.normal(key, start[name].shape) for key, name in zip(keys, start, strict=True)}
    return {name: value + 0.3 * noise[name] for name, value in start.items()}
