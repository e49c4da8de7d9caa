"""Any data set in the format of the Extreme Classification repository: an embedding bag and a head.

    python train.py --config=configs/xmc.py --config.data.dir=FOLDER --workdir=runs/xmc

FOLDER holds train.txt.gz, test.txt.gz and perhaps dev.txt.gz. See docs/results.md for the command and scores of each
data set that was tried.
"""

from sigfft.training.config import Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig


def get_config() -> Config:
    """An embedding bag and a DFT head that guarantees every set as large as the largest training set.

    Where the nearest labels of an example tell much, they start higher (`sigfft.encoders.NearestBag`).

    The head has at least the spread with which the guarantee survives float32, learned columns for better scores, and
    the bag as many features as reach every z, which centring makes a property of the model and not of a lucky start.
    What is 0 or -1 here is left to the data: rates, size of a batch, dropout, evaluations
    (`sigfft/training/settled.py`).
    """
    return Config(
        name="xmc",
        data=DataConfig(source="xmc", dev_share=0.1),
        encoder=EncoderConfig(dim=-1, dropout=-1.0, nearest=-1),
        head=HeadConfig(kind="dft", spread=-1, slack=-1, centred=True),
        optim=OptimConfig(
            steps=-1, epochs=20, batch_size=0, block_size=-1, learning_rate=0.0, encoder_weight_decay=-1.0
        ),
        eval=EvalConfig(max_dev_examples=2048),
    )
