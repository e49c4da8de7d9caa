"""Runs by several processes, each a process of its own."""

import json
import time

import members
import pytest

SMALL = [
    *("--config.baseline.kind=none", "--config.encoder.dim=16", "--config.encoder.dropout=0.0"),
    *("--config.optim.steps=8", "--config.optim.warmup_steps=2", "--config.optim.batch_size=32"),
    *("--config.eval.every=4", "--config.eval.log_every=2"),
    *("--config.data.synthetic.n_train=200", "--config.data.synthetic.n_dev=32", "--config.data.synthetic.n_test=32"),
    *("--config.data.synthetic.n_labels=40", "--config.head.max_cardinality=4", "--config.head.spread=4"),
    *("--config.data.synthetic.max_cardinality=4", "--config.data.synthetic.mean_cardinality=2"),
]


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    return [*SMALL, f"--config.data.cache_dir={tmp_path_factory.mktemp('cache')}"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory, flags):
    """The run of one process with two devices."""
    folder = tmp_path_factory.mktemp("alone")
    process = members.start(folder / "0.txt", 2, *flags, f"--workdir={folder / 'run'}")
    assert members.statuses([process]) == [0], (folder / "0.txt").read_text()
    return folder / "run"


def measured(workdir):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    report = json.loads((workdir / "report.json").read_text())["heads"][0]
    values = {f"{i} {name}": value for i, line in enumerate(lines) for name, value in line.items()}
    values |= {f"test {name}": value for name, value in report["test"].items()} | report["argmaxability"]
    return {name: value for name, value in values.items() if not name.endswith(("head", "second", "seconds"))}


def verdicts(workdir):
    lines = map(json.loads, (workdir / "verdicts" / "dft_k4_spread4.jsonl").read_text().splitlines())
    return [(line["labels"], line["status"], line["sets"]) for line in lines]


def said(folder, process):
    return [line for line in (folder / f"{process}.txt").read_text().splitlines() if line.startswith("sigfft train")]


@pytest.mark.parametrize("devices", [1, 2])
def test_two_processes_are_as_one_and_the_first_one_writes(tmp_path, flags, alone, devices):
    """With two devices each, every process splits the labels over its own."""
    shared = [*flags, f"--workdir={tmp_path / 'run'}", f"--config.optim.label_shards={devices}"]
    statuses = members.statuses(members.start_all(tmp_path, 2, devices, *shared))
    first, second = ((tmp_path / f"{i}.txt").read_text() for i in (0, 1))
    assert statuses == [0, 0], first + second
    assert "dft k=4" in first
    assert "\ndft k=4" not in second
    assert {path.name for path in (tmp_path / "run").iterdir()} == {path.name for path in alone.iterdir()}
    assert measured(tmp_path / "run") == pytest.approx(measured(alone), rel=1e-6)
    assert verdicts(tmp_path / "run") == verdicts(alone)


def test_a_killed_process_ends_the_others_with_a_line(tmp_path, flags):
    """The first one: JAX's own client would abort, with a stack, as soon as it is gone."""
    run = tmp_path / "run"
    processes = members.start_all(tmp_path, 2, 1, *flags, f"--workdir={run}", "--config.optim.steps=1000000")
    while not (run / "metrics.jsonl").exists() and all(process.is_alive() for process in processes):
        time.sleep(0.05)
    processes[0].kill()
    assert members.statuses(processes, 20) == [-9, 2]
    (line,) = said(tmp_path, 1)
    assert line.startswith("sigfft train: ended, since process 0 of 2 (")
    assert line.endswith(") is gone without a word: it was killed, or its machine is down")
    assert "stack trace" not in (tmp_path / "1.txt").read_text()


def test_what_differs_between_processes_is_named_before_work_starts(tmp_path, flags):
    processes = members.start_all(tmp_path, 2, 1, *flags, f"--workdir={tmp_path / 'run'}", last=("--config.seed=7",))
    assert members.statuses(processes) == [2, 2]
    for i in (0, 1):
        (line,) = said(tmp_path, i)
        assert "process 1 of 2 differs from process 0 in config.seed (7, not 0); start all with the same" in line
    assert not (tmp_path / "run").exists()


def test_a_process_that_fails_in_preparation_ends_the_others_with_its_reason(tmp_path, flags):
    nowhere = f"--config.data.dir={tmp_path / 'nowhere'}"
    here = ["--config=xmc", flags[-1], f"--workdir={tmp_path / 'run'}", f"--config.data.dir={tmp_path}"]
    (tmp_path / "train.txt").write_text("2 3 4\n0 0:1\n1 1:1\n")
    (tmp_path / "test.txt").write_text("2 3 4\n0 0:1\n1 1:1\n")
    processes = members.start_all(tmp_path, 2, 1, *here, last=(nowhere,))
    assert members.statuses(processes) == [2, 2]
    (own,), (line,) = said(tmp_path, 1), said(tmp_path, 0)
    assert "nowhere" in own
    assert line.startswith("sigfft train: ended, since process 1 of 2 (")
    assert own.removeprefix("sigfft train: ") in line
