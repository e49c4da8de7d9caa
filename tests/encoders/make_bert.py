"""Writes the folder bert/: a BERT of random parameters, and what `transformers` makes of two texts.

    python -m venv /tmp/bert && /tmp/bert/bin/pip install torch transformers numpy
    /tmp/bert/bin/python tests/encoders/make_bert.py

Last made with torch 2.13.0 and transformers 5.24.0.
"""

from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertModel

FOLDER = Path(__file__).with_name("bert")
TOKENS = [[2, 7, 9, 4, 3, 0, 0], [2, 11, 5, 17, 8, 6, 3]]


def main() -> None:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=19,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=10,
        initializer_range=0.5,  # so that no part of the network is close to doing nothing
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # biases and normalisations start at 0 and 1, which would hide mistakes
            parameter.add_(0.2 * torch.randn_like(parameter))
        tokens = torch.tensor(TOKENS)
        states = model(input_ids=tokens, attention_mask=(tokens != 0).long()).last_hidden_state
    model.save_pretrained(FOLDER)
    np.savez(FOLDER / "expected.npz", tokens=np.array(TOKENS, np.int32), states=states.numpy())


if __name__ == "__main__":
    main()
