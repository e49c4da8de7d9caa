"""Dense features of one's own, such as embeddings of another model: a layer with a ReLU and a head.

    python train.py --config=configs/npy.py --config.data.dir=FOLDER --workdir=runs/npy

FOLDER holds train.npy and test.npy, (examples, feature_dim) each, with a label set for each row in train.txt and
test.txt, such as `3,17,20`; and perhaps dev.npy with dev.txt. `--config.data.dev_share=0.1` holds a dev split out of
the training examples. `--config.encoder.dim=0` gives the features to the head as they are.
"""

from sigfft.training.config import Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig


def get_config() -> Config:
    """One layer on given features and a DFT head that guarantees every set as large as the largest training set.

    Spread, slack and width are those of `configs/xmc.py`: enough for the guarantee in float32, and on the features.
    """
    return Config(
        name="npy",
        data=DataConfig(source="npy", dev_share=0.1),
        encoder=EncoderConfig(dim=-1, dropout=-1.0),
        head=HeadConfig(kind="dft", spread=-1, slack=-1, centred=True),
        optim=OptimConfig(
            steps=1500, epochs=20, batch_size=0, block_size=-1, learning_rate=0.0, encoder_weight_decay=-1.0
        ),
        eval=EvalConfig(max_dev_examples=2048),
    )
