"""Ties between the processes of a run: where one fails, or is lost, all others end, each with a line that says why.

The first process listens at the run's address and the others hold a connection to it as long as they run. The system
closes it when a process dies, however that was, and its keep-alive packets find a machine that went down: no process
that is merely busy is taken for dead.

JAX's own client kills its process, with a stack of C++, as soon as its connection to the first process breaks. So the
others reach JAX's service by a relay of their own, whose near end stays open whatever becomes of the far one.
"""

import contextlib
import dataclasses
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

FAILED = 2  # the exit status of a process that ends because of another

_LOOK = 10.0  # seconds for one connection, or for its first line
_RELAYED: list[socket.socket] = []  # near ends of relays, which stay open


@dataclasses.dataclass
class Ties:
    """What one process of a run has of the others: the first a connection to each, another one to the first.

    `say` shows a line before the process ends because of another; `who` tells, for a process, its host and pid.
    """

    own: int
    count: int
    timeout: float  # seconds after which a machine that does not answer is given up
    say: Callable[[str], None]
    peers: dict[int, socket.socket] = dataclasses.field(default_factory=dict)
    who: dict[int, str] = dataclasses.field(default_factory=dict)
    _finished: set[int] = dataclasses.field(default_factory=set)
    _over: bool = False  # from here on others may end
    _changed: threading.Condition = dataclasses.field(default_factory=threading.Condition)
    _ending: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def fail(self, reason: str) -> None:
        """Tells all others that this process fails; it ends by itself then."""
        with self._ending:
            self._over = True  # who ends now does so because of this
            self.tell(["failed", self.own, reason])

    def leave(self, timeout: float | None = None) -> bool:
        """Waits until all processes are here, however long that takes; with a timeout, False where some do not come."""
        if self.own:
            self.tell(["finished"])
        with self._changed:
            if not self._changed.wait_for(lambda: self._finished >= self.peers.keys(), timeout):
                return False
            self._over = True
        if not self.own:
            self.tell(["finished"])
        return True

    def hold(self, peer: int, connection: socket.socket) -> None:
        """Holds a connection, and watches it."""
        _keep_alive(connection, self.timeout)
        self.peers[peer] = connection
        threading.Thread(target=self._watch, args=(peer, connection), daemon=True).start()

    def tell(self, message: list[Any], but: int = -1) -> None:
        """Sends a message to all others that this process has a tie to, but for one."""
        for peer, connection in list(self.peers.items()):
            if peer != but:
                with contextlib.suppress(OSError):  # whoever is gone needs no word
                    send(connection, message)

    def _watch(self, peer: int, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError):  # reset, out of time, or not as we speak: it is lost
            while message := receive(connection):
                kind, *rest = message
                if kind == "failed":
                    self._end(rest[0], rest[1], peer)
                with self._changed:
                    self._finished.add(peer)
                    self._over = self._over or bool(self.own)  # the first process is the last to finish
                    self._changed.notify_all()
        self._end(peer, "", peer)

    def _end(self, culprit: int, reason: str, informant: int) -> None:
        """Ends this process with a line, unless the run is over; the first process tells the others."""
        with self._ending:
            if self._over:
                return
            self._over = True
            self.tell(["failed", culprit, reason], but=informant)
            place = f" ({self.who[culprit]})" if culprit in self.who else ""
            what = f"failed: {reason}" if reason else "is gone without a word: it was killed, or its machine is down"
            self.say(f"process {culprit} of {self.count}{place} {what}")
            os._exit(FAILED)


def listen(port: int) -> socket.socket:
    """A socket of the first process that the others connect to, at all addresses of this host.

    Raises:
      ValueError: something else listens there.
    """
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        return socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise ValueError(
            f"cannot listen at port {port} of this host ({error.strerror}); give another, or end what holds it"
        ) from error


def gather(ties: Ties, listener: socket.socket, timeout: float, of_jax: int) -> None:
    """The first process waits for all others, and tells them the port of JAX's service.

    Raises:
      ValueError: some did not come within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while len(ties.peers) < ties.count - 1:
        listener.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            missing = [str(i) for i in range(1, ties.count) if i not in ties.peers]
            raise ValueError(
                f"process{'es' * (len(missing) > 1)} {', '.join(missing)} of {ties.count} did not come within "
                f"{timeout:g} s; start all of them, with one --coordinator and --num_processes"
            ) from None
        _admit(ties, connection)
    ties.who[0] = place()
    ties.tell(["welcome", of_jax, list(ties.who.items())])


def _admit(ties: Ties, connection: socket.socket) -> None:
    connection.settimeout(_LOOK)
    try:
        _, index, count, place = receive(connection) or []
    except (OSError, ValueError):  # nobody of ours
        connection.close()
        return
    if count != ties.count or not 0 < index < ties.count or index in ties.peers:
        there = f"; process {index} is there already ({ties.who[index]})" if index in ties.peers else ""
        refusal = f"this run has processes 0 to {ties.count - 1}; given {index} of {count}{there}"
        send(connection, ["refused", refusal])
        connection.close()
        return
    connection.settimeout(None)
    ties.who[index] = place
    ties.hold(index, connection)


def come(ties: Ties, address: tuple[str, int], timeout: float) -> int:
    """Another process than the first connects to it; the port of JAX's service.

    Raises:
      ValueError: nobody answers there within `timeout` seconds, or the first process refuses.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection = socket.create_connection(address, timeout=min(_LOOK, timeout))
            break
        except OSError as error:  # the first process is not there yet
            if time.monotonic() > deadline:
                raise ValueError(
                    f"process 0 does not answer at {address[0]}:{address[1]} within {timeout:g} s ({error.strerror}); "
                    "start it there, and see that --coordinator names its host"
                ) from error
            time.sleep(0.2)
    try:
        connection.settimeout(timeout + _LOOK)  # for the others have to come as well
        send(connection, ["come", ties.own, ties.count, place()])
        kind, *rest = receive(connection) or ["refused", "process 0 ended before all processes had come"]
        if kind != "welcome":
            raise ValueError(rest[-1])
    except BaseException:
        connection.close()
        raise
    of_jax, who = rest
    ties.who |= dict(who)
    connection.settimeout(None)
    ties.hold(0, connection)
    return of_jax


def relayed(address: tuple[str, int]) -> str:
    """An address on this host that leads to another, and whose connections stay open when those there end."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_relay, args=(listener, address), daemon=True).start()
    return f"127.0.0.1:{listener.getsockname()[1]}"


def _relay(listener: socket.socket, address: tuple[str, int]) -> None:
    while True:
        near, _ = listener.accept()
        _RELAYED.append(near)
        with contextlib.suppress(OSError):  # the first process is gone, as its tie tells
            far = socket.create_connection(address)
            for source, sink in ((near, far), (far, near)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    if source not in _RELAYED:
        source.close()
        return
    with contextlib.suppress(OSError):  # the far end is gone, or JAX's client here has left
        sink.shutdown(socket.SHUT_WR)


def place() -> str:
    """Where this process runs."""
    return f"{socket.gethostname()}, pid {os.getpid()}"


def send(connection: socket.socket, message: list[Any]) -> None:
    """Sends a message as a line of JSON."""
    connection.sendall(json.dumps(message).encode() + b"\n")


def receive(connection: socket.socket) -> list[Any] | None:
    """The next message; None where the connection has ended. Raises ValueError where it is no JSON."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = connection.recv(1)  # messages are few and short, and what follows must stay in the socket
        if not byte or len(line) > 1 << 16:
            return None
        line += byte
    return json.loads(line)


def _keep_alive(connection: socket.socket, timeout: float) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    seconds = max(int(timeout), 4)
    options = {"TCP_KEEPIDLE": seconds // 4, "TCP_KEEPINTVL": seconds // 4, "TCP_KEEPCNT": 3}
    options |= {"TCP_USER_TIMEOUT": seconds * 1000}
    for name, value in options.items():
        if hasattr(socket, name):  # not every system has all of them
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
