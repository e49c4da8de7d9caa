"""Every reader of this package with a small file of its own, and the ways in which that file is mutated."""

import contextlib
import dataclasses
import gzip
import io
import itertools
import json
import random
import shutil
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mutations
import numpy as np
import scipy.sparse
from safetensors.numpy import save_file

import sigfft
from sigfft import serving
from sigfft.argmaxability import Reach, check, reach, verify
from sigfft.argmaxability.proofs.verdicts import read_lines
from sigfft.data import LabelCentroids, SparseFeatures
from sigfft.files import layers, xmc
from sigfft.files.label_sets import load_label_sets
from sigfft.heads.published import load_published
from sigfft.imports import ids_in
from sigfft.training import load_model
from sigfft.training.checkpoint import Checkpoints, Progress
from sigfft.training.config import Config, EncoderConfig
from sigfft.training.config_checks import check_values
from sigfft.training.config_files import config_of
from sigfft.training.encoder import PureEncoder, stored_encoder
from sigfft.training.log import read_log
from sigfft.training.model import Model
from sigfft.training.resume import begun_run, check_origin
from sigfft.training.step import TrainState
from sigfft.training.thresholds import deployed_thresholds
from sigfft.training.workdir import Workdir, slug

Mutate = Callable[[bytes, random.Random], bytes]
WEIGHT = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
EVERY_SET = [list(ids) for k in range(6) for ids in itertools.combinations(range(5), k)]
SUMS = np.abs(np.random.default_rng(1).normal(size=(5, 4))).astype(np.float32)  # of 5 labels, of 4 features
POINTS = SparseFeatures(np.array([0, 2, 2, 3]), np.array([0, 3, 1], np.int32), np.ones(3, np.float32), 4, 2)
DATA = {"train": "0123456789abcdef", "test": "fedcba9876543210"}  # fingerprints of splits
_PARTS = ("optim", "eval", "data", "head")
_KEYS = [f"{part}.{own.name}" for part in _PARTS for own in dataclasses.fields(getattr(Config(), part))]


class Reader(NamedTuple):
    """What reads a file.

    Attributes:
      share: of all inputs, in parts; what takes long has a small one.
      path: of the file, whose content is the base of its mutations.
      mutate: from the content to another.
      read: reads the file at `path`.
    """

    share: float
    path: Path
    mutate: Mutate
    read: Callable[[], Any]


def readers(folder: Path) -> dict[str, Reader]:
    """The readers by name, with their files below a folder, written now."""
    truth = dict(zip(map(tuple, EVERY_SET), check(WEIGHT, EVERY_SET).status, strict=True))
    head = sigfft.bottleneck_head(6, 2, feature_dim=3)
    params = head.init(jax.random.key(0))

    def verified(path: Path) -> None:
        verify(path, WEIGHT)
        for _, line in read_lines(path):
            known = truth.get(tuple(sorted(line.labels)))
            plain = line.layer.rule == "threshold" and line.layer.domain == "any"
            if plain and line.verdict.status not in ("undecided", known):
                raise AssertionError(f"a false verdict was verified: {line.labels} {line.verdict.status}")

    def proved(path: Path) -> None:
        Reach.load(path).proves(head.projection(params))

    state = _state(head)

    def resumed(path: Path) -> None:
        run = Workdir(path.parent)
        origin = begun_run(run, Config(), "always")
        assert origin is not None
        check_origin(run, origin, DATA)
        run.max_features()

    def restored(path: Path) -> None:
        with contextlib.closing(Checkpoints(path.parents[2], read_only=True)) as checkpoints:
            found = checkpoints.restore_params(jax.eval_shape(lambda: state.params), 1)
        if not all(jax.tree.leaves(jax.tree.map(np.array_equal, found, state.params))):
            raise AssertionError("other parameters were read than were saved")

    def held(path: Path) -> None:
        with Workdir(path.parent).held():
            pass

    def thresholds(path: Path) -> None:
        chosen = deployed_thresholds(path.parent if path.name == "report.json" else path.parents[1])
        if chosen is not None and (chosen.shape not in ((), (6,)) or np.isnan(chosen).any()):
            raise AssertionError(f"these are no thresholds: {chosen}")

    def near(path: Path) -> None:
        found = LabelCentroids.load(path, *SUMS.shape).nearest(POINTS, 2)
        if not (np.isfinite(found.scores).all() and (found.counts >= 0).all() and (found.ids <= len(SUMS)).all()):
            raise AssertionError(f"these are no nearest labels: {found}")

    def published(path: Path) -> None:
        head, found = load_published(path)
        head.n_parameters(), [np.asarray(value) for value in found.values()]

    made = _files(folder, head, params)
    found = {
        "label sets, text": (10, "sets.txt", mutations.of_bytes, load_label_sets),
        "label sets, JSON lines": (10, "sets.jsonl", _lines_or_bytes, load_label_sets),
        "label sets, XMC": (10, "sets-xmc.txt", mutations.of_bytes, load_label_sets),
        "label sets, gzip": (8, "sets.txt.gz", _gzipped, load_label_sets),
        "XMC": (10, "points.txt", mutations.of_bytes, xmc.parse),
        "npy": (8, "w.npy", mutations.of_bytes, layers.load_weights),
        "npz": (8, "w.npz", _zipped, layers.load_weights),
        "safetensors": (8, "w.safetensors", _safetensors, layers.load_weights),
        "verdicts": (6, "verdicts.jsonl", _lines_or_bytes, verified),
        "reach": (6, "reach.json", _json_or_bytes, proved),
        "heads": (3, "head.safetensors", _safetensors, sigfft.load_head),
        "import": (5, "published.safetensors", _safetensors, published),
        "import, order": (1, "order.txt", mutations.of_bytes, ids_in),
        "thresholds": (4, f"thresholds/thresholds/{slug(head.name)}.npz", _zipped, thresholds),
        "thresholds, report.json": (4, "chosen/report.json", _json_or_bytes, thresholds),
        "centroids": (4, "label_centroids.npz", _zipped, near),
        "checkpoint, seal": (0.2, "checkpoints/1/seal/metadata", _json_or_bytes, restored),
        "lock": (2, "lock/lock", _json_or_bytes, held),
        "config.json": (6, "config/config.json", _json_or_bytes, resumed),
        "report.json": (5, "report/report.json", _json_or_bytes, lambda path: load_model(path.parent)),
        "config.json of a model": (3, "encoder/config.json", _json_or_bytes, lambda path: load_model(path.parent)),
        "metrics.jsonl": (6, "metrics/metrics.jsonl", _lines_or_bytes, lambda path: read_log(Workdir(path.parent))),
        "served": (3, "served.zip", _zipped, serving.load),
        "config flags": (1, "flags", _flag, _set),
    }
    assert set(made) >= {name for _, name, _, _ in found.values()}
    return {
        name: Reader(share, folder / file, mutate, lambda path=folder / file, read=read: read(path))
        for name, (share, file, mutate, read) in found.items()
    }


def _files(folder: Path, head: sigfft.heads.Head, params: dict[str, Any]) -> set[str]:
    """Writes a file for each reader."""
    for name in ("config", "report", "metrics", "lock", "thresholds/thresholds", "chosen/thresholds"):
        (folder / name).mkdir(parents=True)
    (folder / "sets.txt").write_text("0,1,3\n\n4,2\n1\n")
    (folder / "sets.jsonl").write_text("[0, 1, 3]\n[]\n[4, 2]\n[1]\n")
    (folder / "sets-xmc.txt").write_text("4 9 5\n0,1,3 1:1\n 1:1\n4,2\n1 2:.5\n")
    (folder / "points.txt").write_text("3 9 5\n0,1,3 1:1 2:-.5e-3\n 1:1 8:3\n4,2 0:7.25\n")
    (folder / "sets.txt.gz").write_bytes(gzip.compress(b"0,1,3\n\n4,2\n1\n"))
    np.save(folder / "w.npy", WEIGHT)
    np.savez(folder / "w.npz", weight=WEIGHT, bias=WEIGHT[:, 0])
    LabelCentroids(scipy.sparse.csr_matrix(SUMS), np.arange(5, dtype=np.int32)).save(folder / "label_centroids.npz")
    save_file({"weight": WEIGHT, "bias": np.ones(5, np.float16)}, folder / "w.safetensors")
    check(WEIGHT, EVERY_SET[3:12]).save(folder / "verdicts.jsonl")
    reach(head, params, "nonnegative").save(folder / "reach.json")
    sigfft.save_head(folder / "head.safetensors", head, params)
    Workdir(folder / "config").write_config(Config(), DATA)
    Workdir(folder / "report").write_config(Config(encoder=EncoderConfig(dim=3)))
    entry = {"name": head.name, "kind": head.kind, "head": head.arguments, "best_step": 1}
    report = {"heads": [entry], "encoder": _encoder().to_json(), "data": {"n_features": None, "feature_dim": 4}}
    (folder / "report" / "report.json").write_text(json.dumps(report))
    lines = [{"head": head.name, "step": step, "loss": 0.5} for step in range(3)]
    (folder / "metrics" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    serving.save(folder / "served.zip", None, head, {"head": params}, jnp.ones((1, 3)), names=list("abcdef"))
    layer = {"proj.weight": (8, 3), "proj.bias": (8,), "Ws.weight": (9, 1)}
    arrays = {f"output_layer.{name}": np.full(shape, 0.5, np.float32) for name, shape in layer.items()}
    save_file(arrays, folder / "published.safetensors")
    (folder / "order.txt").write_text("2\n0\n1\n")
    per_label = {"deployed": {"per_label": True, "logit": None}}
    thresholded = {"heads": [entry | {"thresholds": per_label}]}
    for run in (Workdir(folder / "thresholds"), Workdir(folder / "chosen")):
        run.report.write_text(json.dumps(thresholded))
        np.savez(run.thresholds(head.name), deployed=np.linspace(-1, 1, 6, dtype=np.float32))
    state = _state(head)
    for place in (folder / "checkpoints", Workdir(folder / "report").checkpoints(head.name)):
        with contextlib.closing(Checkpoints(place)) as checkpoints:
            checkpoints.save(state, Progress(), jax.eval_shape(lambda: state))
            checkpoints.finish()
    shutil.copytree(folder / "report", folder / "encoder")
    del report["encoder"]  # as versions wrote it whose config said what the encoder was
    (folder / "encoder" / "report.json").write_text(json.dumps(report))
    (folder / "lock" / "lock").write_text(json.dumps({"host": socket.gethostname(), "pid": 1 << 22}))
    (folder / "flags").write_text("--config.optim.steps=5")
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _state(head: sigfft.heads.Head) -> TrainState:
    """What a run with `_encoder` would save of a head."""
    model = Model(_encoder(), head)
    return TrainState(jnp.int32(1), model.init(jax.random.key(0)), {})


def _encoder() -> PureEncoder:
    """The default encoder, for dense examples of 4 features, as a run without an entry of it in its report has it."""
    config = {"encoder": dataclasses.asdict(EncoderConfig(dim=3))}
    return stored_encoder({"data": {"n_features": None, "feature_dim": 4}}, config, 3)


def _json_or_bytes(data: bytes, random: random.Random) -> bytes:
    return mutations.of_json(json.loads(data), random) if random.random() < 0.6 else mutations.of_bytes(data, random)


def _lines_or_bytes(data: bytes, random: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    place = random.randrange(len(lines))
    lines[place] = _json_or_bytes(lines[place], random) + b"\n"
    return b"".join(lines)


def _gzipped(data: bytes, random: random.Random) -> bytes:
    if random.random() < 0.5:
        return mutations.of_bytes(data, random)
    return gzip.compress(mutations.of_bytes(gzip.decompress(data), random), 1)


def _zipped(data: bytes, random: random.Random) -> bytes:
    """An archive with changed bytes; or a whole one, whose checksums hold, with a changed member."""
    if random.random() < 0.3:
        return mutations.of_bytes(data, random)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {member: archive.read(member) for member in archive.infolist()}
    chosen = random.choice(list(members))
    mutate = _json_or_bytes if chosen.filename.endswith(".json") else mutations.of_bytes
    members[chosen] = mutate(members[chosen], random)
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            for member, content in members.items():
                archive.writestr(member.filename, content, member.compress_type)
        return file.getvalue()


def _safetensors(data: bytes, random: random.Random) -> bytes:
    """A file with changed bytes; or one whose header, of the length that is said, has changed values."""
    if random.random() < 0.4:
        return mutations.of_bytes(data, random)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    about = header.get("__metadata__", {})
    if "arguments" in about and random.random() < 0.7:
        about["arguments"] = mutations.of_json(json.loads(about["arguments"]), random).decode()
        text = json.dumps(header).encode()
    else:
        text = mutations.of_json(header, random)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def _flag(data: bytes, random: random.Random) -> bytes:
    value = mutations.of_bytes(random.choice((b"5", b"0.5", b"(1, 5)", b"true", b"demo")), random)
    return f"--config.{random.choice(_KEYS)}=".encode() + value


def _set(path: Path) -> None:
    check_values(config_of("demo", [path.read_bytes().decode("utf-8", "surrogateescape")]))
