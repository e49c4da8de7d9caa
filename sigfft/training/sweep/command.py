"""What `sigfft sweep` does: plan, train what is left, write the tables."""

from pathlib import Path

from sigfft.files import check_writable
from sigfft.training.config import Config
from sigfft.training.sweep.folder import read_sweep
from sigfft.training.sweep.kept import check_table, keep_runs
from sigfft.training.sweep.plan import Grid, planned
from sigfft.training.sweep.processes import share_devices, work_side_by_side
from sigfft.training.sweep.runs import work
from sigfft.training.sweep.tables import Tables, curves_path, settings_path, write_tables


def run_sweep(
    config: Config,
    workdir: Path | str,
    grid: Grid,
    *,
    processes: int = 1,
    shard: tuple[int, int] = (0, 1),
    csv: Path | str | None = None,
    retry: bool = False,
) -> Tables:
    """Trains the runs of a sweep that are not there yet, and writes its tables.

    Several calls may work on one folder, also from several machines: each takes the next run that nobody holds. One
    that was ended, however that was, is gone on with by the same call, and the tables come out the same but for times.

    Args:
      config: what all runs share; its `head` says what DFT heads have beside spread, slack, embedding, their
        start and label priors, of which families tell. -1 as `encoder.dim` is as many features as the widest head
        needs. No baseline is trained.
      workdir: folder of the sweep, with one below it for each run.
      grid: families, dims, seeds and rates. Lists may be longer than before, and not shorter.
      processes: so many train side by side.
      shard: (i, n): train heads i, i + n, ... of the list alone. Tables are of all that is there.
      csv: the table of runs; that of evaluations is beside it. Runs that it holds already, of another folder or
        machine, are kept and not trained again. None: sweep.csv in the folder.
      retry: try failed runs again.

    Returns:
      What was written.

    Raises:
      ValueError: what is asked for cannot be, or the folder or the table holds another sweep. Nothing is written
        then.
      OSError: something cannot be written.
      Preempted: SIGTERM or SIGINT ended the sweep; what was trained is saved.
      RuntimeError: a process ended before its work did.
    """
    index, count = shard
    if not 0 <= index < count:
        raise ValueError(f"shard {index}/{count} is none; expected i/n with i from 0 to n - 1, such as 0/2")
    if processes < 1:
        raise ValueError(f"processes must be at least 1; given {processes}")
    table = _table(Path(workdir), csv)
    if processes > 1:
        share_devices()
    sweep = planned(config, grid, Path(workdir))
    check_table(sweep, table)
    sweep.write()
    keep_runs(sweep, table)
    heads = list(sweep.heads[index::count])
    if retry:
        for head in heads:
            for run in sweep.runs(head):
                sweep.failure(run).unlink(missing_ok=True)
    if processes > 1:
        work_side_by_side(sweep, heads, processes)
    else:
        work(sweep, heads)
    return write_tables(read_sweep(sweep.file), table)  # another call may have lengthened its lists


def tables_of(workdir: Path | str, csv: Path | str | None = None) -> Tables:
    """Writes the tables of a sweep from what its folder holds, and trains nothing; arguments as `run_sweep`.

    Raises:
      ValueError: the folder holds no sweep, or a damaged run.
      OSError: a table cannot be written.
    """
    sweep = read_sweep(Path(workdir) / "sweep.json")
    table = _table(sweep.path, csv)
    check_table(sweep, table)
    keep_runs(sweep, table)
    return write_tables(sweep, table)


def _table(workdir: Path, csv: Path | str | None) -> Path:
    """The path of the table of runs, which can be written."""
    if csv is None:
        return workdir / "sweep.csv"
    path = Path(csv)
    if path.suffix != ".csv" or not path.parent.is_dir():
        raise ValueError(f"csv {path} must be a .csv file in a folder that exists")
    for own in (path, curves_path(path), settings_path(path)):
        check_writable(own)
    return path
