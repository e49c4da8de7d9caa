"""What `sigfft sweep` compares heads by, on a data set in the format of the Extreme Classification repository.

    python sweep.py --config=benchmarks/converged.py --config.data.dir=FOLDER --dims=25,50 --workdir=runs/sweep

As configs/xmc.py, but for a learning rate that stays as it is after the warm-up, so that training ends when dev stops
improving and not when a schedule does, and for weight decay of the encoder that does not depend on the steps.
"""

from sigfft.training.config import CheckConfig, Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, OptimConfig


def get_config() -> Config:
    """An embedding bag, at most 8,000 steps, dev F1@5, and 300 test label sets of each head that dev chose."""
    return Config(
        name="converged",
        data=DataConfig(source="xmc", dev_share=0.1),
        encoder=EncoderConfig(dim=-1, dropout=-1.0),
        head=HeadConfig(kind="dft", spread=-1, slack=-1, centred=True),
        optim=OptimConfig(
            steps=8000, batch_size=0, block_size=-1, schedule="constant", learning_rate=0.0, encoder_weight_decay=0.5
        ),
        eval=EvalConfig(every=100, metric="F1@5", max_dev_examples=2048),
        check=CheckConfig(max_sets=300),
    )
