"""Where a process stands among those of a run: flags that do not fit, and devices of a host."""

import pytest

from sigfft import cli
from sigfft.training.cluster import Cluster, local_device_ids


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--coordinator=a:1", "--coordinator, --num_processes, --process_id go together; --num_processes and --proc"),
        ("--coordinator=a:1 --num_processes=2", "--process_id is missing. With --distributed alone, they are found"),
        ("--distributed --process_id=1", "--coordinator and --num_processes are missing"),
        ("--num_processes=2", "--num_processes is for several processes; give --coordinator or --distributed too"),
        ("--start_timeout=9", "--start_timeout is for several processes; give --coordinator or --distributed too"),
        (
            "--coordinator=a --num_processes=2 --process_id=0",
            "--coordinator=a must be HOST:PORT, such as 10.0.0.1:1234",
        ),
        ("--coordinator=a:70000 --num_processes=2 --process_id=0", "--coordinator=a:70000 must be HOST:PORT"),
        ("--coordinator=a:1 --num_processes=0 --process_id=0", "--num_processes=0 must be at least 1"),
        ("--coordinator=a:1 --num_processes=2 --process_id=2", "--process_id=2 must be one of 0 to 1, since --num_pro"),
        ("--distributed --heartbeat_timeout=0", "--heartbeat_timeout=0 must be from 1 to 1000000 seconds"),
        ("--distributed --start_timeout=nan", "--start_timeout=nan must be from 1 to 1000000 seconds"),
        ("--distributed --local_device_ids=1,1", "--local_device_ids=1,1 must be different numbers from 0"),
        ("--distributed", "neither SLURM, Open MPI, Kubernetes nor a TPU pod is found here; give --coordinator=HOST"),
    ],
)
def test_flags_that_do_not_fit_are_one_line(arguments, message, capsys, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert cli.main(["train", *arguments.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sigfft train: ")
    assert message in line


SLURM = {"SLURM_LOCALID": "0", "SLURM_STEP_TASKS_PER_NODE": "1(x4)"}
EIGHT = {"CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7"}
MPI = {"OMPI_COMM_WORLD_LOCAL_RANK": "3"}


@pytest.mark.parametrize(
    ("environment", "ids"),
    [
        ({}, ()),  # all that it sees
        (SLURM, ()),  # one process for each host, however many GPUs that has
        (SLURM | EIGHT, ()),
        (SLURM | EIGHT | {"SLURM_LOCALID": "5", "SLURM_STEP_TASKS_PER_NODE": "8(x2)"}, (5,)),
        (SLURM | EIGHT | {"SLURM_LOCALID": "1", "SLURM_STEP_TASKS_PER_NODE": "2"}, (4, 5, 6, 7)),
        (SLURM | {"SLURM_LOCALID": "5", "SLURM_STEP_TASKS_PER_NODE": "8", "CUDA_VISIBLE_DEVICES": "5"}, ()),  # bound
        (SLURM | {"SLURM_STEP_TASKS_PER_NODE": "8,4"} | EIGHT, None),  # JAX takes one for each
        (MPI | EIGHT | {"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}, (6, 7)),
        (MPI | EIGHT, None),
        (MPI | EIGHT | {"JAX_LOCAL_DEVICE_IDS": "2,1"}, (2, 1)),
    ],
)
def test_devices_of_one_process_for_each_host_and_for_each_gpu(environment, ids):
    assert local_device_ids(environment) == ids


def test_devices_that_cannot_be_shared_evenly():
    with pytest.raises(ValueError, match="8 devices cannot be shared evenly by 3 processes of a host"):
        local_device_ids(SLURM | EIGHT | {"SLURM_STEP_TASKS_PER_NODE": "3"})


def test_slurm_and_open_mpi_tell_the_place(monkeypatch):
    slurm = {"SLURM_JOB_ID": "4097", "SLURM_STEP_NODELIST": "node[07-09]", "SLURM_NTASKS": "3", "SLURM_PROCID": "2"}
    for name, value in (slurm | SLURM).items():
        monkeypatch.setenv(name, value)
    assert Cluster().found() == Cluster("node07:61441", 3, 2, ())
    assert Cluster("a:1", 2, 0, (1,)).found() == Cluster("a:1", 2, 0, (1,))
