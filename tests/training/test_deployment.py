import dataclasses
import gzip

import numpy as np
import pytest

from sigfft import serving
from sigfft.cli import main
from sigfft.training import export_run, load_model, run
from sigfft.training.config import DataConfig

N_FEATURES, N_LABELS = 30, 25
LINES = [f"{i % N_LABELS},{(i + 9) % N_LABELS} {i % 7}:0.5 {10 + i % 11}:{1 + i % 3} 29:0.25" for i in range(40)]


def short(config):
    """Its untrained start is as good: a file must say what the model says."""
    return dataclasses.replace(config, optim=dataclasses.replace(config.optim, steps=2, warmup_steps=1))


def test_a_dense_run(dft_only, tmp_path):
    run(short(dft_only), tmp_path / "run")
    export_run(tmp_path / "run", tmp_path / "m", threshold=-2.0)
    served = serving.load(tmp_path / "m")
    examples = {"features": np.random.default_rng(0).standard_normal((5, 12), np.float32)}
    model, params = load_model(tmp_path / "run")
    logits = np.asarray(model.head.logits(params["head"], model.features(params["encoder"], examples)))
    np.testing.assert_allclose(served.logits(examples), logits, rtol=1e-4, atol=1e-5)
    assert served.label_sets(examples).cardinality.tolist() == (logits > -2).sum(1).tolist()


def test_a_sparse_run_from_the_command_line(dft_only, tmp_path, capsys):
    text = "\n".join([f"{len(LINES)} {N_FEATURES} {N_LABELS}", *LINES]).encode() + b"\n"
    for split in ("train", "test"):
        (tmp_path / f"{split}.txt.gz").write_bytes(gzip.compress(text))
    data = DataConfig(source="xmc", dir=str(tmp_path), cache_dir=str(tmp_path / "cache"))
    head = dataclasses.replace(dft_only.head, spread=5)
    run(dataclasses.replace(short(dft_only), data=data, head=head), tmp_path / "run")
    (tmp_path / "names.txt").write_text("\ufeff" + "".join(f"label {i}\n" for i in range(N_LABELS)), encoding="utf-8")
    command = f"export --workdir {tmp_path}/run --out {tmp_path}/m --names {tmp_path}/names.txt"
    assert main(command.split()) == 2
    assert "say how many one may have, as max_features" in capsys.readouterr().err
    assert main([*command.split(), "--threshold", "1"]) == 2
    assert "threshold=1.0 must be a probability strictly between 0 and 1" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()
    assert main([*command.split(), "--max-features", "4", "--threshold", "0.1"]) == 0
    assert "MB" in capsys.readouterr().out

    served = serving.load(tmp_path / "m")
    examples = {  # the first two lines
        "feature_ids": np.array([[0, 10, 29, N_FEATURES], [1, 11, 29, N_FEATURES]], np.int32),
        "feature_values": np.array([[0.5, 1, 0.25, 0], [0.5, 2, 0.25, 0]], np.float32),
    }
    model, params = load_model(tmp_path / "run")
    logits = np.asarray(model.head.logits(params["head"], model.features(params["encoder"], examples)))
    assert served.label_sets(examples).cardinality.tolist() == (logits > np.log(1 / 9)).sum(1).tolist()
    assert served.answer(examples, top=1)[1][0].name == f"label {logits[1].argmax()}"
    assert served.names == [f"label {i}" for i in range(N_LABELS)]


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(ValueError, match=r"holds no finished run: report\.json is missing"):
        export_run(tmp_path, tmp_path / "m")
