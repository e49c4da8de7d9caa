"""A bottleneck and a DFT head of equal parameter count on synthetic data, trained, compared and checked.

    python train.py

Time: about a minute on 2 CPU cores; docs/results.md shows the table that it ends with.
"""

from sigfft.data import SyntheticSpec
from sigfft.training.config import Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig


def get_config() -> Config:
    """1,000 labels, up to 16 of them active: a bottleneck against a DFT head that guarantees all of these sets."""
    return Config(
        name="demo",
        data=DataConfig(source="synthetic", synthetic=SyntheticSpec(noise=1.0)),
        encoder=EncoderConfig(dim=128),
        baseline=HeadConfig(kind="bottleneck"),
        head=HeadConfig(kind="dft", spread=60),
        optim=OptimConfig(steps=500, batch_size=256, learning_rate=3e-3),
        eval=EvalConfig(every=100, metric="F1@5", patience=0),
    )
