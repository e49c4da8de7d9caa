"""Runs that a table of the same sweep holds already: another folder's or machine's, which need no training here."""

from pathlib import Path

from sigfft.files.tables import Faults, read_rows
from sigfft.training.sweep.folder import Sweep, SweptRun, differences, read_sweep
from sigfft.training.sweep.measuring import CHECKED
from sigfft.training.sweep.records import Record, Row, has_ended, write_check, write_record
from sigfft.training.sweep.tables import OF_ALL_RUNS, curves_path, is_in_folder, settings_path


def check_table(sweep: Sweep, path: Path) -> None:
    """Raises ValueError where one of its files is there and is another sweep's, or nothing tells of which it is."""
    there = [own for own in (path, curves_path(path), settings_path(path)) if own.exists()]
    if not there or is_in_folder(sweep, path):
        return
    if not settings_path(path).exists():
        raise ValueError(
            f"{there[0]} exists without {settings_path(path).name}, which says of what sweep it is; give another table"
        )
    if found := differences(sweep.elsewhere(), read_sweep(settings_path(path))):
        raise ValueError(f"{path} is of another sweep: {'; '.join(found)}; give another table")


def keep_runs(sweep: Sweep, path: Path) -> None:
    """Takes over the runs of a table that passed `check_table` and have not ended here; failures are tried again.

    Raises:
      ValueError: a table is damaged, or lacks the evaluations of a run.
    """
    if not path.exists() or is_in_folder(sweep, path):
        return
    curves: dict[str, list[Row]] = {}
    try:
        for line in _rows(curves_path(path)):
            curves.setdefault(line.pop("run"), []).append(line)
        found = {row["run"]: row for row in _rows(path) if not row["error"]}
        steps = {slug: {line["step"] for line in curve} for slug, curve in curves.items()}
        lacking = [slug for slug, row in found.items() if row["best_step"] not in steps.get(slug, ())]
    except KeyError as error:
        raise ValueError(f"{path} and {curves_path(path).name} are no tables of a sweep: no column {error}") from error
    if lacking:
        raise ValueError(f"{curves_path(path)} lacks evaluations of {lacking[0]}, which {path.name} has")
    for head in sweep.heads:
        for run in sweep.runs(head):
            if run.slug in found and not has_ended(sweep, run):
                _keep(sweep, run, found[run.slug], curves[run.slug])


def _keep(sweep: Sweep, run: SweptRun, row: Row, curve: list[Row]) -> None:
    folder = sweep.workdir(run)
    folder.path.mkdir(exist_ok=True)
    if row.get("sets_checked"):
        write_check(folder, {name: row[name] for name in CHECKED})
    own = {name: value for name, value in row.items() if value and name not in {*OF_ALL_RUNS, *CHECKED}}
    write_record(folder, Record(own, curve))


def _rows(path: Path) -> list[Row]:
    return [row.values for row in read_rows(path, Faults())]
