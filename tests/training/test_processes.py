import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    *("--config.encoder.dropout=0.0", "--config.optim.steps=12", "--config.optim.warmup_steps=2"),
    *("--config.eval.every=6", "--config.eval.log_every=3", "--config.check.max_sets=5"),
    *("--config.data.synthetic.n_train=600", "--config.data.synthetic.n_dev=64", "--config.data.synthetic.n_test=64"),
    *("--config.data.synthetic.n_labels=100", "--config.head.max_cardinality=5", "--config.head.spread=5"),
    *("--config.data.synthetic.max_cardinality=5", "--config.data.synthetic.mean_cardinality=2"),
]


@contextmanager
def started(workdir, cache, *arguments, devices=1, **environment):
    """One process of a run, killed if it outlives the block; the environment is what `mpirun` would set."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    command = [
        sys.executable,
        "train.py",
        *SMALL,
        f"--workdir={workdir}",
        f"--config.data.cache_dir={cache}",
        *arguments,
    ]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | environment | {"XLA_FLAGS": flags},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def reserved_port():
    """A port for the coordinator alone: gRPC shares a port that is bound, and not listened to, with SO_REUSEPORT."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("localhost", 0))
        yield held.getsockname()[1]


def scalars(workdir):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("head", "examples_per_second")} for line in lines]


def finish(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


@pytest.mark.parametrize("devices", [1, 2])
def test_two_processes_train_as_one_with_two_devices_and_the_first_one_writes(tmp_path, cache_dir, devices):
    """With two devices each, every process splits the labels over its own."""
    with started(tmp_path / "one", cache_dir, devices=2) as alone:
        finish(alone)
    shared = (tmp_path / "two", cache_dir, "--distributed", f"--config.optim.label_shards={devices}")
    with reserved_port() as port:
        mpi = {"OMPI_MCA_orte_hnp_uri": "1.0;tcp://127.0.0.1:1", "JAX_COORDINATOR_ADDRESS": f"localhost:{port}"}
        mpi |= {"OMPI_COMM_WORLD_SIZE": "2"}
        ranks = [mpi | {"OMPI_COMM_WORLD_RANK": rank, "OMPI_COMM_WORLD_LOCAL_RANK": rank} for rank in "01"]
        with (
            started(*shared, devices=devices, **ranks[0]) as leader,
            started(*shared, devices=devices, **ranks[1]) as follower,
        ):
            first, second = finish(leader), finish(follower)
    assert "dft k=5" in first
    assert "dft k=5" not in second
    assert {p.name for p in (tmp_path / "two").iterdir()} == {p.name for p in (tmp_path / "one").iterdir()}
    one, two = (scalars(tmp_path / name) for name in ("one", "two"))
    assert len(one) == 2 * (4 + 2)  # heads, lines of loss and of the dev split
    for mine, other in zip(one, two, strict=True):
        assert mine == pytest.approx(other, rel=1e-4, abs=1e-5)
