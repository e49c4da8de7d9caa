"""Synthetic data in the shape of the paper's BioASQ: 20,000 labels by a power law, 13.0 an example on average.

    python train.py --config=configs/bioasq_shaped.py --workdir=runs/bioasq_shaped

Sizes are for 2 CPU cores: 10,000 training examples of 256 features each, where BioASQ has abstracts by the million.
`sigfft/data/synthetic.py` tells how both are drawn. Training ends 800 steps after the best one on dev.
"""

from sigfft.data import SyntheticSpec
from sigfft.training.config import Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig


def get_config() -> Config:
    """One layer, wide enough that features reach every z of spread 200; every set of up to 50 labels is guaranteed."""
    spec = SyntheticSpec(
        n_labels=20_000, feature_dim=256, n_train=10_000, n_test=2000, mean_cardinality=13.0, max_cardinality=50
    )
    return Config(
        name="bioasq_shaped",
        data=DataConfig(source="synthetic", synthetic=spec),
        encoder=EncoderConfig(dim=1024),
        head=HeadConfig(kind="dft", max_cardinality=50, spread=200, centred=True),
        optim=OptimConfig(steps=8000, batch_size=128, block_size=2000),
        eval=EvalConfig(every=80, metric="F1@5", patience=10),
    )
