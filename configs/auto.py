"""Any data set that a folder holds: texts, images, the XMC format, or features in .npy files.

    python train.py --config.data.dir=FOLDER --workdir=runs/mine

FOLDER holds tables of texts, or of paths of images, with labels (`sigfft/data/text.py`), or what `configs/xmc.py` or
`configs/npy.py` tell. What was read as what is said before training.
"""

from sigfft.training.config import Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig


def get_config() -> Config:
    """An encoder that reads what the data hold, and a DFT head that guarantees every set as large as in training.

    Spread, slack and width are those of `configs/xmc.py`: enough for the guarantee in float32, and on the features.
    """
    return Config(
        name="auto",
        data=DataConfig(source="auto", dev_share=0.1),
        encoder=EncoderConfig(dim=-1, dropout=-1.0, nearest=-1),
        head=HeadConfig(kind="dft", spread=-1, slack=-1, centred=True),
        optim=OptimConfig(
            steps=-1, epochs=20, batch_size=0, block_size=-1, learning_rate=0.0, encoder_weight_decay=-1.0
        ),
        eval=EvalConfig(max_dev_examples=2048),
    )
