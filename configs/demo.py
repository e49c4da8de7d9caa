"""A bottleneck and a DFT head of equal parameter count on synthetic data, trained, compared and checked.

    python train.py

Time: under 3 minutes on 2 CPU cores.
"""

from sigfft.training.config import CheckConfig, Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig


def get_config() -> Config:
    """1,000 labels, up to 16 of them active: a bottleneck against a DFT head that guarantees all of these sets."""
    return Config(
        name="demo",
        data=DataConfig(source="synthetic"),
        encoder=EncoderConfig(dim=256),
        baseline=HeadConfig(kind="bottleneck"),
        head=HeadConfig(kind="dft", spread=40, slack=10),
        optim=OptimConfig(steps=600, batch_size=256, learning_rate=3e-3),
        eval=EvalConfig(every=100),
        check=CheckConfig(max_sets=0),
    )
