"""Checkpoints of a state without a model: what is kept, what is noticed, and where it goes on."""

import random
import resource
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from jax.sharding import NamedSharding, PartitionSpec, SingleDeviceSharding

from sigfft.training import seal
from sigfft.training.checkpoint import Checkpoints, DamagedError, Progress, check_path
from sigfft.training.devices import make_mesh
from sigfft.training.step import LABELS, TrainState

# Reads that fail leave TensorStore with callbacks for an event loop that is closed; Python reports those as unraisable.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
N_LABELS = 10


def state(step):
    """A state of small arrays: rows of labels, a vector, a count."""
    rng = np.random.default_rng(step)
    rows = rng.normal(size=(2, N_LABELS, 3)).astype(np.float32)
    params = {"encoder": {"bias": rng.normal(size=4).astype(np.float32)}, "head": {"slack": rows[0]}}
    return TrainState(np.int32(step), params, {"mu": {"slack": rows[1]}, "count": np.int32(step)})


SHAPES = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, state(1)))


def layout(n_rows=N_LABELS, sharding=None):
    """Of such a state with rows of labels split over devices; the default is the first device."""
    one = SingleDeviceSharding(jax.devices()[0])

    def place(leaf):
        rows = leaf.shape == (N_LABELS, 3) and sharding is not None
        shape = (n_rows, 3) if rows else leaf.shape
        whole = NamedSharding(sharding.mesh, PartitionSpec()) if sharding is not None else one
        return jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=sharding if rows else whole)

    return jax.tree.map(place, SHAPES)


def written(directory, steps, best=None, keep=2):
    """Checkpoints of steps of which `best` gives the best at each."""
    checkpoints = Checkpoints(directory, keep)
    for step in steps:
        best_step = best[step] if best else step
        checkpoints.save(state(step), Progress(best_step=best_step, metric=step / 100, evaluated_step=step), SHAPES)
    checkpoints.finish()
    checkpoints.close()
    return directory


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return written(tmp_path_factory.mktemp("saved") / "head", [10, 20, 30], {10: 10, 20: 10, 30: 10})


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "head")


def newest(directory):
    checkpoints = Checkpoints(directory, 2)
    try:
        return checkpoints.newest(layout(), SHAPES)
    finally:
        checkpoints.close()


def same(found, step):
    jax.tree.map(np.testing.assert_array_equal, found, state(step))


def test_the_latest_and_the_best_are_kept_and_of_the_best_the_parameters(saved):
    assert sorted(path.name for path in saved.iterdir()) == ["10", "20", "30"]
    assert not (saved / "10" / "rest").exists()
    found, progress = newest(saved)
    same(found, 30)
    assert (progress.best_step, progress.metric) == (10, 0.3)
    checkpoints = Checkpoints(saved, read_only=True)
    jax.tree.map(np.testing.assert_array_equal, checkpoints.restore_params(SHAPES.params, 10), state(10).params)
    checkpoints.close()


def test_the_best_of_every_checkpoint_that_is_kept_stays(tmp_path):
    """So that an older one can be taken when the last, itself the best, is damaged."""
    directory = written(tmp_path / "head", [10, 20, 30], {10: 10, 20: 10, 30: 30})
    shutil.rmtree(directory / "30" / "params")
    assert newest(directory)[1].best_step == 10
    written(directory, [40], {40: 30})
    assert sorted(path.name for path in directory.iterdir()) == ["10", "20", "30.damaged", "40"]


def test_a_step_is_written_again(copy):
    checkpoints = Checkpoints(copy, 2)
    checkpoints.save(state(30), Progress(best_step=30), SHAPES)
    checkpoints.close()
    assert newest(copy)[1].best_step == 30


def test_rows_go_to_any_number_of_devices_and_come_back(copy):
    """Those that fill up the devices are no part of a checkpoint: they are as zero as before, and its digests fit."""
    for data, labels in ((1, 8), (2, 4), (1, 1)):
        held = -(-N_LABELS // labels)
        split = NamedSharding(make_mesh(data, labels), PartitionSpec(LABELS))
        checkpoints = Checkpoints(copy, 2)
        found, progress = checkpoints.newest(layout(held * labels, split), SHAPES)
        rows = found.params["head"]["slack"]
        assert {shard.data.shape for shard in rows.addressable_shards} == {(held, 3)}
        np.testing.assert_array_equal(rows[:N_LABELS], state(30).params["head"]["slack"])
        assert not np.asarray(rows[N_LABELS:]).any()
        checkpoints.save(found, progress, SHAPES)
        checkpoints.close()
        same(newest(copy)[0], 30)


def test_checkpoints_of_before_there_were_seals_are_read(tmp_path):
    manager = ocp.CheckpointManager(tmp_path / "head", options=ocp.CheckpointManagerOptions())
    before = {"best_metric": 0.5, "best_step": 7, "stale_evaluations": 0, "seconds": 1.0}
    items = {"state": ocp.args.StandardSave(state(7)._asdict()), "progress": ocp.args.JsonSave(before)}
    manager.save(7, args=ocp.args.Composite(**items))
    manager.close()
    found, progress = newest(tmp_path / "head")
    same(found, 7)
    assert progress == Progress(0.5, 7, 0, 1.0)
    checkpoints = Checkpoints(tmp_path / "head", 2)
    split = NamedSharding(make_mesh(1, 8), PartitionSpec(LABELS))
    filled, _ = checkpoints.newest(layout(16, split), SHAPES)
    np.testing.assert_array_equal(filled.params["head"]["slack"][:N_LABELS], state(7).params["head"]["slack"])
    jax.tree.map(np.testing.assert_array_equal, checkpoints.restore_params(SHAPES.params, 7), state(7).params)
    checkpoints.save(state(8), Progress(best_step=7), SHAPES)
    checkpoints.close()
    assert newest(tmp_path / "head")[1].best_step == 7


def test_a_donated_state_is_saved_as_it_was(tmp_path):
    split = NamedSharding(make_mesh(1, 2), PartitionSpec(LABELS))
    placed = jax.tree.map(jax.device_put, state(1), jax.tree.map(lambda like: like.sharding, layout(N_LABELS, split)))
    checkpoints = Checkpoints(tmp_path / "head")
    checkpoints.save(placed, Progress(), SHAPES)
    changed = jax.jit(lambda tree: jax.tree.map(lambda leaf: leaf + 1, tree), donate_argnums=0)(placed)
    jax.block_until_ready(changed)
    jax.tree.map(lambda leaf: leaf.delete(), placed)  # where the donation was of no use
    checkpoints.finish()
    same(checkpoints.newest(layout(), SHAPES)[0], 1)
    checkpoints.close()


def files(directory):
    return sorted(path for path in directory.rglob("*") if path.is_file())


def flip(path, rng):
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def halve(path, rng):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def remove(path, rng):
    path.unlink()


@pytest.mark.parametrize("damage", [flip, halve, remove])
def test_no_damage_to_a_file_gives_other_values(saved, tmp_path, damage):
    """Each file of the last checkpoint once: it is read as it was saved, or the one before is taken and this named."""
    rng = random.Random(damage.__name__)
    for i, path in enumerate(files(saved / "30")):
        if not path.stat().st_size:
            continue
        copy = shutil.copytree(saved, tmp_path / str(i))
        damage(copy / path.relative_to(saved), rng)
        found, progress = newest(copy)
        taken = 20 if (copy / "30.damaged").exists() else 30
        same(found, taken)
        assert (int(found.step), progress.evaluated_step, progress.best_step) == (taken, taken, 10)


def test_the_damaged_one_is_named_in_one_line_and_its_step_saved_again(copy, caplog, capfd):
    for path in (copy / "30" / "rest").rglob("*"):
        if path.is_file():
            halve(path, None)
    same(newest(copy)[0], 20)
    (record,) = caplog.records
    assert f"checkpoint 30 in {copy} is damaged" in record.getMessage()
    assert "it is set aside as 30.damaged, and an older one taken" in record.getMessage()
    assert "Traceback" not in capfd.readouterr().err
    assert (copy / "30.damaged" / "seal").is_dir()
    assert not (copy / "30").exists()
    written(copy, [30])
    same(newest(copy)[0], 30)


def test_values_that_are_readable_and_others_are_noticed(copy, monkeypatch):
    """What a digest alone can see: the files are in order, and hold another number."""
    checkpoints = Checkpoints(copy, 2)
    digests = seal.digests
    monkeypatch.setattr(
        seal, "digests", lambda tree, shapes: digests(jax.tree.map(lambda leaf: np.asarray(leaf) + 1, tree), shapes)
    )
    with pytest.raises(DamagedError, match=r"checkpoint 10 .* the values of \['encoder'\]\['bias'\] are not those"):
        checkpoints.restore_params(SHAPES.params, 10)
    checkpoints.close()


def test_where_none_is_whole_nothing_is_set_aside(copy):
    for step in ("10", "20", "30"):
        shutil.rmtree(copy / step / "seal")
    with pytest.raises(ValueError, match=r"no checkpoint in .*/head can be gone on from \(checkpoint 30 .*put a copy"):
        newest(copy)
    assert sorted(path.name for path in copy.iterdir()) == ["10", "20", "30"]


def test_a_checkpoint_of_another_model_is_not_damaged(copy):
    checkpoints = Checkpoints(copy, 2)
    wider = SHAPES.params["head"] | {"slack": jax.ShapeDtypeStruct((N_LABELS, 4), jnp.float32)}
    with pytest.raises(ValueError, match=r"checkpoint 30 .* is of another model"):
        checkpoints.newest(layout(), SHAPES._replace(params=SHAPES.params | {"head": wider}))
    with pytest.raises(ValueError, match=r"checkpoint 10 .* is of another model"):
        checkpoints.restore_params({"encoder": {"weight": SHAPES.params["encoder"]["bias"]}}, 10)
    checkpoints.close()
    assert not list(copy.glob("*.damaged"))


def test_where_the_best_is_lost_the_one_that_is_taken_has_its_place(copy, caplog):
    shutil.rmtree(copy / "10" / "params")
    _, progress = newest(copy)
    assert (progress.best_step, progress.best_metric, progress.stale_evaluations) == (30, 0.3, 0)
    assert "it was the best one, and step 30 takes its place" in caplog.text


def test_an_unfinished_checkpoint_is_removed_by_the_next_writer_and_not_by_a_reader(copy):
    unfinished = copy / "40.orbax-checkpoint-tmp"
    shutil.copytree(copy / "30", unfinished)
    Checkpoints(copy, read_only=True).close()
    assert unfinished.exists()
    same(newest(copy)[0], 30)
    assert not unfinished.exists()


def test_what_cannot_be_written_is_one_error_with_its_path(copy):
    checkpoints, before = Checkpoints(copy, 2), resource.getrlimit(resource.RLIMIT_FSIZE)

    def save():
        checkpoints.save(state(40), Progress(), SHAPES)
        checkpoints.finish()

    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))  # what a full disk is to a writer
    try:
        with pytest.raises(OSError, match=rf"cannot write checkpoint 40 in {copy} \("):
            save()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    same(newest(copy)[0], 30)


NAMES = ["a]", "a*b", "a?b", " a b ", "#h", "%41", "ünï", "line\nbreak", "q'\"", "$x", "{a}", "~", "--x", "x" * 255]


def test_any_name_of_a_folder_that_is_not_refused(saved, tmp_path):
    for name in NAMES:
        directory = tmp_path / name / "head"
        written(directory, [1])
        same(newest(directory)[0], 1)
        assert len(list(tmp_path.iterdir())) == 1
        shutil.rmtree(tmp_path / name)


@pytest.mark.parametrize("name", ["[a", "[a]", "a\\b", "gs:", b"\xff".decode(errors="surrogateescape"), "a/" * 2000])
def test_a_folder_that_checkpoints_cannot_have_is_refused_and_a_link_helps(tmp_path, name):
    folder = tmp_path / name / "head"
    with pytest.raises(ValueError, match=r"no checkpoint can be kept below .*take another folder or a link"):
        check_path(folder)
    with pytest.raises(ValueError, match="no checkpoint can be kept below"):
        Checkpoints(folder)
    assert not list(tmp_path.iterdir())
    if len(name) < 255:
        folder.mkdir(parents=True)
        (tmp_path / "link").symlink_to(folder)
        written(tmp_path / "link", [1])
        same(newest(tmp_path / "link")[0], 1)
        assert (folder / "1" / "seal").is_dir()
