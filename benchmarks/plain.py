"""Config of benchmarks in the XMC format: nothing but spread and width is left to the data, so that numbers stay true.

python train.py --config=benchmarks/plain.py --config.data.dir=FOLDER --workdir=runs/plain
"""

from sigfft.training.config import Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig


def get_config() -> Config:
    """An embedding bag and a centred DFT head, 1,000 steps at one rate; the best dev P@1 counts, if any."""
    return Config(
        name="xmc",
        data=DataConfig(source="xmc"),
        encoder=EncoderConfig(dim=-1, dropout=0.2),
        head=HeadConfig(kind="dft", spread=-1, centred=True),
        optim=OptimConfig(steps=1000, batch_size=256, learning_rate=3e-3),
        eval=EvalConfig(every=200, metric="P@1", patience=0, max_dev_examples=2048),
    )
