"""The processes of a run and how they meet: told by flags, or found by SLURM, Open MPI, Kubernetes or a TPU pod."""

import atexit
import contextlib
import dataclasses
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping

import jax
from jax._src import clusters

from sigfft.training import ties

# Variables in which SLURM and Open MPI tell a process its place on its host, and how many of the job are there.
_LOCAL = (
    ("SLURM_LOCALID", ("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE", "SLURM_NTASKS_PER_NODE")),
    ("OMPI_COMM_WORLD_LOCAL_RANK", ("OMPI_COMM_WORLD_LOCAL_SIZE",)),
)
_VISIBLE = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
_CONSEQUENCE = 2.0  # seconds in which the loss of another process shows, of which an error here may be the consequence
_LONGEST = 300  # characters of a reason
_member: ties.Ties | None = None  # of this process


@dataclasses.dataclass(frozen=True)
class Cluster:
    """One process among those of a run; what is None, is found.

    Raises:
      ValueError: values that do not fit each other.
    """

    coordinator: str | None = None  # "HOST:PORT" of the first process
    num_processes: int | None = None
    process_id: int | None = None  # from 0
    local_device_ids: tuple[int, ...] | None = None  # which devices of the host are this process's
    heartbeat_timeout: float = 20.0  # seconds after which a machine that does not answer counts as down
    start_timeout: float = 300.0  # seconds in which all processes must have come

    def __post_init__(self) -> None:
        given = {"--coordinator": self.coordinator, "--num_processes": self.num_processes}
        given |= {"--process_id": self.process_id}
        missing = [name for name, value in given.items() if value is None]
        if 0 < len(missing) < len(given):
            raise ValueError(
                f"{', '.join(given)} go together; {' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} "
                "missing. With --distributed alone, they are found"
            )
        if self.coordinator is not None:
            _host_and_port(self.coordinator)
        if self.num_processes is not None and self.process_id is not None:
            if self.num_processes < 1:
                raise ValueError(f"--num_processes={self.num_processes} must be at least 1")
            if not 0 <= self.process_id < self.num_processes:
                raise ValueError(
                    f"--process_id={self.process_id} must be one of 0 to {self.num_processes - 1}, "
                    f"since --num_processes={self.num_processes}"
                )
        ids = self.local_device_ids or ()
        if len(set(ids)) < len(ids) or min(ids, default=0) < 0:
            raise ValueError(f"--local_device_ids={','.join(map(str, ids))} must be different numbers from 0")
        for name in ("heartbeat_timeout", "start_timeout"):
            if not 1 <= getattr(self, name) <= 1e6:
                raise ValueError(f"--{name}={getattr(self, name):g} must be from 1 to 1000000 seconds")

    def found(self) -> "Cluster":
        """The same, with all that was left open.

        Raises:
          ValueError: no cluster is known here, or its devices cannot be shared among the processes of a host.
        """
        coordinator = self.coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
        ids = self.local_device_ids
        if ids is None:
            ids = local_device_ids(os.environ)
        if self.coordinator is None:
            detect = clusters.ClusterEnv.auto_detect_unset_distributed_params
            detected = detect(coordinator, None, None, ids, None, int(self.start_timeout))
            coordinator, count, own, of_jax = detected
            ids = None if of_jax is None else tuple(of_jax)
            if coordinator is None or count is None or own is None:
                raise ValueError(
                    "neither SLURM, Open MPI, Kubernetes nor a TPU pod is found here; "
                    "give --coordinator=HOST:PORT --num_processes=N --process_id=I"
                )
        else:
            count, own = self.num_processes, self.process_id
        return dataclasses.replace(
            self, coordinator=coordinator, num_processes=count, process_id=own, local_device_ids=ids
        )


def local_device_ids(environment: Mapping[str, str]) -> tuple[int, ...] | None:
    """Which GPUs of a host one process of SLURM or Open MPI takes; () for all that it sees, None where nobody can tell.

    JAX gives each process one, that of its place on the host. That is wrong for one process a host, and for one whose
    launcher shows it no other device than its own.

    Raises:
      ValueError: the visible devices cannot be shared evenly.
    """
    if told := environment.get("JAX_LOCAL_DEVICE_IDS"):
        return tuple(map(int, told.split(",")))
    found = next(((environment[at], sizes) for at, sizes in _LOCAL if at in environment), None)
    if found is None:
        return ()
    sizes = [environment[name] for name in found[1] if name in environment]
    visible = next((environment[name].split(",") for name in _VISIBLE if environment.get(name)), None)
    if visible is not None and len(visible) == 1:
        return ()
    if not sizes:
        return None
    own, count = int(found[0]), _tasks_of_a_host(sizes[0])
    if count == 1:
        return ()
    if count is None or visible is None:
        return None
    if len(visible) % count:
        raise ValueError(
            f"{len(visible)} devices cannot be shared evenly by {count} processes of a host; "
            "start another number of them, or give each its --local_device_ids"
        )
    share = len(visible) // count
    return tuple(range(own * share, (own + 1) * share))


def _tasks_of_a_host(text: str) -> int | None:
    """Of "8" or "8(x2)" the number of tasks; None where hosts have different numbers, as in "8,4"."""
    number = text.partition("(")[0]
    return int(number) if number.isdecimal() and "," not in text else None


@contextlib.contextmanager
def joined(cluster: Cluster) -> Iterator[None]:
    """The block is run by all processes of a cluster; where one raises, or is lost, all others end with a line.

    What carries an exit status, `code`, and is no `Exception`, such as `SystemExit`, is no failure: all processes are
    to raise it, and end alike.

    Raises:
      ValueError: as `Cluster`, or the processes do not find each other.
    """
    found = cluster.found()
    try:
        if found.num_processes != 1:
            _meet(found)
        yield
    except BaseException as error:
        code = None if isinstance(error, Exception) else getattr(error, "code", None)
        if code is not None and _leave(found.heartbeat_timeout):
            raise
        if isinstance(error, RuntimeError):
            time.sleep(_CONSEQUENCE)  # where it is one, this process ends here
        tell_failure(" ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST])
        status = 130 if isinstance(error, KeyboardInterrupt) else ties.FAILED
        _exit_soon(status if code is None else code)
        raise
    _leave()


def tell_failure(reason: str) -> None:
    """Ends all other processes with a line; this one is to end by itself. Alone, it does nothing."""
    if _member is not None:
        _member.fail(reason)


def _leave(timeout: float | None = None) -> bool:
    """Ends JAX's ties, and returns True, when all processes are here; False where some do not come in time."""
    if _member is not None and not _member.leave(timeout):
        return False
    jax.distributed.shutdown()
    return True


def _exit_soon(code: int) -> None:
    """Ends this process at its exit, where JAX would wait for the others, or where a thread keeps it from exiting."""
    atexit.register(_exit_now, code)
    late = threading.Timer(_CONSEQUENCE * 5, _exit_now, [code])
    late.daemon = True
    late.start()


def _exit_now(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _meet(cluster: Cluster) -> None:
    """Connects this process to the others, and JAX's processes to each other."""
    global _member
    assert cluster.coordinator is not None
    assert cluster.num_processes is not None
    assert cluster.process_id is not None
    host, port = _host_and_port(cluster.coordinator)
    own, count = cluster.process_id, cluster.num_processes
    _member = ties.Ties(own, count, cluster.heartbeat_timeout, _say)
    if own:
        of_jax = ties.come(_member, (host, port), cluster.start_timeout)
        if any("_proxy" in name.lower() for name in os.environ):
            os.environ.setdefault("no_grpc_proxy", "127.0.0.1")  # no proxy leads to the relay
        _initialize(cluster, ties.relayed((host, of_jax)))
        return
    with ties.listen(port) as listener, _reserved_port() as of_jax:
        ties.gather(_member, listener, cluster.start_timeout, of_jax)
        _initialize(cluster, f"{host}:{of_jax}")


def _initialize(cluster: Cluster, address: str) -> None:
    ids = cluster.local_device_ids
    jax.distributed.initialize(
        address,
        cluster.num_processes,
        cluster.process_id,
        None if ids is None else list(ids),
        initialization_timeout=int(cluster.start_timeout),
        # The ties are there to notice a loss, and end all in good order; JAX, which aborts, comes after them.
        heartbeat_timeout_seconds=int(max(100, 10 * cluster.heartbeat_timeout)),
        shutdown_timeout_seconds=int(cluster.heartbeat_timeout),
    )


@contextlib.contextmanager
def _reserved_port() -> Iterator[int]:
    """A port that nobody else gets: gRPC shares one that is bound, and not listened to, with SO_REUSEPORT."""
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    with socket.socket(family) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("", 0))
        yield held.getsockname()[1]


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"--coordinator={address} must be HOST:PORT, such as 10.0.0.1:1234, of process 0")
    return host.strip("[]"), int(port)


def _say(line: str) -> None:
    """A line on stderr, whatever other threads are doing with it."""
    begin = "\n" if sys.stderr.isatty() else ""  # a progress bar may stand there
    os.write(2, f"{begin}sigfft train: ended, since {line}\n".encode(errors="replace"))
