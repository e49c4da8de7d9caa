"""MIMIC-III as in the paper: CAML's convolution and a DFT head beside a bottleneck, for those who have the data.

    python train.py --config=configs/mimic3.py --config.data.dir=FOLDER --workdir=FOLDER/runs

FOLDER holds NOTEEVENTS, DIAGNOSES_ICD and PROCEDURES_ICD, and the ids of each split (`sigfft/data/mimic3.py`; what is
missing is named, with where to get it). Records are kept in FOLDER/.sigfft. The folder of the run holds the vocabulary,
words of three notes or more, and the parameters: keep it where the data may be. `--config.encoder.pretrained=VECTORS`
starts from a vector for each word.
"""

from sigfft.training.config import Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig

_EPOCH = 47_723 // 16 + 1  # steps


def get_config() -> Config:
    """Adam at 1e-3; evaluated once an epoch, ends after 10 of them without a better P@8, or after 100."""
    return Config(
        name="mimic3",
        data=DataConfig(source="mimic3", max_length=2500, cache_dir=""),
        encoder=EncoderConfig(kind="text_cnn", dim=500, embedding_dim=100, activation="tanh", dropout=0.2),
        baseline=HeadConfig(kind="bottleneck", dim=100, random_start=True),
        head=HeadConfig(kind="dft", max_cardinality=80, slack=100, random_start=True),
        optim=OptimConfig(steps=100 * _EPOCH, batch_size=16, learning_rate=1e-3, warmup_steps=0, schedule="constant"),
        eval=EvalConfig(every=_EPOCH, metric="P@8", patience=10, ks=(1, 5, 8, 15), log_every=100),
    )
