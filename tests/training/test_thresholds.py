import dataclasses
import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from sigfft import cli, labels, serving, training
from sigfft.training.config import CheckConfig
from sigfft.training.experiment import load_splits
from sigfft.training.prediction import predict_file
from sigfft.training.thresholds import asked_threshold, deployed_thresholds


def logits_and_truth(workdir, split):
    """All logits of a split and its label sets as 0s and 1s, the dense way."""
    model, params = training.load_model(workdir)
    examples = split.gather(np.arange(len(split)))
    features = model.features(params["encoder"], {"features": examples["features"]})
    truth = np.zeros((len(split), split.n_labels), int)
    for row, ids in zip(truth, labels.unpack(split.labels, split.n_labels), strict=True):
        row[ids] = 1
    return np.asarray(model.head.logits(params["head"], features)), truth


def test_each_label_has_its_threshold_in_report_file_predictions_and_export(dft_only, tmp_path, capsys):
    per_label = dataclasses.replace(dft_only.eval, threshold="macro F1", threshold_per_label=True)
    config = dataclasses.replace(dft_only, eval=per_label, check=CheckConfig(max_sets=5))
    run = tmp_path / "run"
    (entry,) = training.run(config, run)["heads"]
    assert "per label (macro F1)" in capsys.readouterr().out
    chosen, name = entry["thresholds"], entry["name"]
    assert chosen["deployed"] == {"objective": "macro F1", "per_label": True, "logit": None, "probability": None}
    values = deployed_thresholds(run, name)
    with np.load(run / chosen["per_label"]["file"]) as stored:
        np.testing.assert_array_equal(stored["macro F1"], values)
        micro = stored["micro F1"]
    assert len(np.unique(values)) > 3

    splits = load_splits(config)
    logits, truth = logits_and_truth(run, splits["dev"])
    options = {"zero_division": 0}
    for objective, own in (("micro F1", micro), ("macro F1", values)):
        average = objective.split()[0]
        reached = f1_score(truth, logits > own, average=average, **options)
        assert chosen["per_label"]["dev"][objective] == pytest.approx(reached, abs=1e-9)
        for_all = chosen["for_all_labels"][objective]
        every = [f1_score(truth, logits > edge, average=average, **options) for edge in np.arange(-16, 16.1, 1 / 8)]
        assert for_all["dev"] == pytest.approx(max(every), abs=1e-9)
        assert for_all["dev"] == pytest.approx(f1_score(truth, logits > for_all["logit"], average=average, **options))
    sample, exact = (chosen["for_all_labels"][name] for name in ("sample F1", "exact match"))
    assert sample["dev"] == pytest.approx(f1_score(truth, logits > sample["logit"], average="samples", **options))
    assert exact["dev"] == pytest.approx((truth == (logits > exact["logit"])).all(axis=1).mean())
    assert exact["probability"] == pytest.approx(1 / (1 + np.exp(-exact["logit"])))

    logits, truth = logits_and_truth(run, splits["test"])
    told = entry["test_at_threshold"]
    assert told["macro F1"] == pytest.approx(f1_score(truth, logits > values, average="macro", **options), abs=1e-6)
    assert told["exact match"] == pytest.approx((truth == (logits > values)).all(axis=1).mean())
    assert entry["test"]["macro F1"] == pytest.approx(f1_score(truth, logits > 0, average="macro", **options), abs=1e-6)
    assert entry["argmaxability_at_threshold"]["checked"] == 5

    examples = np.asarray(splits["test"].gather(np.arange(7))["features"])
    np.save(tmp_path / "x.npy", examples)
    command = f"predict --workdir {run} --input {tmp_path}/x.npy --output {tmp_path}/y.jsonl --top 60 --threshold"
    assert cli.main(command.split()) == 0
    predicted = [json.loads(line)["labels"] for line in (tmp_path / "y.jsonl").read_text().splitlines()]
    expected = [np.flatnonzero(row > values).tolist() for row in logits[:7]]
    assert [sorted(ids) for ids in predicted] == expected
    assert any(expected)
    training.export_run(run, tmp_path / "m", max_cardinality=60)
    served = serving.load(tmp_path / "m")
    assert served.label_sets({"features": examples}).cardinality.tolist() == [len(ids) for ids in expected]

    (run / chosen["per_label"]["file"]).unlink()
    with pytest.raises(ValueError, match=r"lacks thresholds/dft_k6_spread10_slack2\.npz"):
        predict_file(run, tmp_path / "x.npy", tmp_path / "z.jsonl", threshold="dev")
    with pytest.raises(ValueError, match=r"threshold=2\.0 must be a probability strictly between 0 and 1, or dev"):
        predict_file(run, tmp_path / "x.npy", tmp_path / "z.jsonl", threshold=2)
    assert not (tmp_path / "z.jsonl").exists()


def test_a_run_that_chose_none(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps({"heads": [{"name": "a", "thresholds": None}, {"name": "b"}]}))
    assert deployed_thresholds(tmp_path) is None
    assert deployed_thresholds(tmp_path, "a") is None
    with pytest.raises(
        ValueError, match=r"chose no threshold: it had no dev split, .* give a probability, such as 0\.5"
    ):
        asked_threshold(tmp_path, "a", "dev")
    assert asked_threshold(tmp_path, "a", 0.5) == 0


@pytest.mark.parametrize(
    "report",
    [{}, {"heads": [7]}, *({"heads": [{"name": "a", "thresholds": t}]} for t in (True, {}, {"deployed": {}}))]
    + [{"heads": [{"name": "a", "thresholds": {"deployed": {"per_label": False, "logit": x}}}]} for x in ([0], 1e308)],
)
def test_a_report_without_what_thresholds_need_is_a_line(tmp_path, report):
    (tmp_path / "report.json").write_text(json.dumps(report))
    with pytest.raises(ValueError, match=r"not what this version of sigfft writes|must be finite logits"):
        deployed_thresholds(tmp_path)
