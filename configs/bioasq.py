"""BioASQ as in the paper: a pretrained BERT and a DFT head beside a bottleneck, for those who have the data.

    python train.py --config=configs/bioasq.py --config.data.dir=FOLDER --workdir=runs/bioasq \
        --config.data.tokenizer=BERT/tokenizer.json --config.encoder.pretrained=BERT

FOLDER holds allMeSH_2021.json, the files of PubMed ids and vocab.txt (`sigfft/data/bioasq.py`; what is missing is
named, with where to get it). BERT holds config.json, model.safetensors and tokenizer.json of
microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract. Without the two flags the encoder starts at random.
"""

from sigfft.training.config import Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig


def get_config() -> Config:
    """Adam at 5e-5 for the encoder and 1e-3 for the head; ends after 10 evaluations without a smaller dev loss."""
    return Config(
        name="bioasq",
        data=DataConfig(source="bioasq"),
        encoder=EncoderConfig(kind="transformer", dim=768, layers=12, pooling="cls", dropout=0.1),
        baseline=HeadConfig(kind="bottleneck", dim=100, random_start=True),
        head=HeadConfig(kind="dft", max_cardinality=50, slack=100, random_start=True),
        optim=OptimConfig(
            steps=50_000,
            batch_size=32,
            learning_rate=5e-5,
            head_learning_rate=1e-3,
            warmup_steps=0,
            schedule="constant",
        ),
        eval=EvalConfig(every=500, metric="loss", patience=10, log_every=100),
    )
