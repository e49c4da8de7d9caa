"""Open Images V6 with the paper's settings: a residual network and a DFT head beside a bottleneck.

    python train.py --config=configs/openimages.py --config.data.dir=FOLDER --workdir=runs/openimages

FOLDER holds the tables of labels and the images (`sigfft/data/openimages.py`; what is missing is named, with where to
get it). All images are held in memory, 602 kB each at the paper's 448 pixels; `--config.data.image_size=224` takes a
quarter. The paper tunes a pretrained TResNet-L; the network here starts at random.
"""

from sigfft.training.config import Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig


def get_config() -> Config:
    """Adam at 1e-4 for the encoder and 1e-3 for the head; ends after 10 evaluations without a smaller dev loss."""
    return Config(
        name="openimages",
        data=DataConfig(source="openimages", image_size=448),
        encoder=EncoderConfig(kind="resnet", dim=2048, layers=2),
        baseline=HeadConfig(kind="bottleneck", dim=100, random_start=True),
        head=HeadConfig(kind="dft", max_cardinality=50, slack=100, random_start=True),
        optim=OptimConfig(
            steps=50_000,
            batch_size=64,
            learning_rate=1e-4,
            head_learning_rate=1e-3,
            warmup_steps=0,
            schedule="constant",
        ),
        eval=EvalConfig(every=250, metric="loss", patience=10, log_every=50),
    )
