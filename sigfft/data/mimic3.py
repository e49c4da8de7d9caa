"""MIMIC-III: discharge summaries with ICD-9 codes, by the rules of CAML. No text of a patient is shown or logged."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sigfft.data import records
from sigfft.data.columns import Columns
from sigfft.data.dataset import Splits
from sigfft.data.raw_examples import Example, RawExamples
from sigfft.data.raw_files import find_file, name_of, read_ids
from sigfft.extras import needs
from sigfft.files.tables import Faults, Row, read_rows

_TABLES = "physionet.org/content/mimiciii/1.4 (credentialed access)"
_IDS = "github.com/jamesmullenbach/caml-mimic, mimicdata/mimic3"
_NEEDED = {
    "NOTEEVENTS.csv": ("HADM_ID", "CATEGORY", "TEXT"),
    "DIAGNOSES_ICD.csv": ("HADM_ID", "ICD9_CODE"),
    "PROCEDURES_ICD.csv": ("HADM_ID", "ICD9_CODE"),
}
_COLUMNS = Columns(("TEXT",), ("LABELS",), id="HADM_ID")
_HINT = "leave out such rows with data.skip_malformed=True"


class Mimic3(records.ArrayBuilder):
    """Admissions of MIMIC-III as token ids, in the order of the files of their ids."""


def load_mimic3(
    cache_dir: Path,
    *,
    dir: str | Path,
    min_count: int = 3,
    max_length: int = 2500,
    skip_malformed: bool = False,
) -> Splits:
    """The splits of CAML: 47,723, 1,631 and 3,372 admissions with all their codes.

    The folder holds NOTEEVENTS.csv, DIAGNOSES_ICD.csv and PROCEDURES_ICD.csv, plain or as .gz, and train_, dev_ and
    test_full_hadm_ids.csv. A text is the discharge summary of an admission with its addenda, in the order of the file;
    tokens are runs of letters and digits, lower case, without those of digits alone. A code of three digits or more has
    its dot. Codes are those of the admissions that are used.

    Args:
      cache_dir: where records are kept: in `dir`, since they hold what patients' texts say.
      dir: the folder.
      min_count: training texts that a word stands in to be in the vocabulary.
      max_length: tokens of a text, at most; further ones are cut.
      skip_malformed: leave out bad rows, and admissions without a summary or a code, and count them.

    Raises:
      ValueError: a file is missing: which, and where to get it; it is of another version; records would be kept
        outside of the folder; or, by its line, a row that is none or an id that is there twice. None shows a text.

    Reference: Mullenbach et al. (2018), arXiv 1802.05695, section 4.1 and its published preprocessing.
    """
    with needs("train", "data.source=mimic3"):
        from sigfft.data import intake, raw

    paths = {name: find_file(dir, (name, f"{name}.gz"), _TABLES) for name in _NEEDED}
    ids = {split: find_file(dir, (f"{split}_full_hadm_ids.csv",), _IDS) for split in ("train", "dev", "test")}
    if not cache_dir.resolve().is_relative_to(Path(dir).resolve()):
        raise ValueError(
            f"data.cache_dir={cache_dir} is outside of {dir}: texts of patients stay there; leave it empty"
        )

    def fit(examples: RawExamples) -> intake.Intake:
        texts = (example.input for example in examples.splits["train"])
        return intake.Tokens.fit_caml(texts, examples.columns, min_texts=min_count, max_length=max_length)

    def read() -> RawExamples:
        return _read_admissions(paths, read_ids(ids), skip_malformed)

    name = name_of([*paths.values(), *ids.values()], [min_count, max_length, skip_malformed])
    builder = raw.prepare_examples(Mimic3, cache_dir, name, read, fit, {"tokens": (np.int32, None)})
    return records.read_splits(builder)


def dotted(code: str, *, procedure: bool) -> str:
    """An ICD-9 code with its dot: behind two digits of a procedure; behind three of a diagnosis, or E and three.

    Reference: CAML's published preprocessing.
    """
    code = code.replace(".", "")
    whole = 2 if procedure else 4 if code.startswith("E") else 3
    return f"{code[:whole]}.{code[whole:]}" if procedure or len(code) > whole else code


def _read_admissions(paths: dict[str, Path], wanted: dict[str, str], skip_malformed: bool) -> RawExamples:
    faults = Faults(skip_malformed, _HINT)
    notes, diagnoses, procedures = paths.values()
    texts: dict[str, list[str]] = {}
    places: dict[str, tuple[Path, int]] = {}
    seen: set[str] = set()
    for row in _rows(notes, "NOTEEVENTS.csv", faults):
        admission = row.values["HADM_ID"]
        if row.values["CATEGORY"] != "Discharge summary" or admission not in wanted:
            continue
        key = row.values.get("ROW_ID", "")
        if key and key in seen:
            faults.add(notes, row.line, "the ROW_ID is there twice; a note has its own")
            continue
        seen.add(key)
        texts.setdefault(admission, []).append(row.values["TEXT"])
        places.setdefault(admission, (notes, row.line))
    codes: dict[str, set[str]] = {admission: set() for admission in wanted}
    for path, name in ((diagnoses, "DIAGNOSES_ICD.csv"), (procedures, "PROCEDURES_ICD.csv")):
        for row in _rows(path, name, faults):
            admission, code = row.values["HADM_ID"], row.values["ICD9_CODE"].strip()
            if admission not in wanted or not code:
                continue
            if not re.fullmatch(r"[EV]?\d{2,5}", code):
                faults.add(path, row.line, "unknown label: expected an ICD-9 code without its dot, such as 4019")
                continue
            codes[admission].add(dotted(code, procedure=path == procedures))
    bare = [admission for admission in wanted if admission not in texts or not codes[admission]]
    if bare and not skip_malformed:
        raise ValueError(
            f"{len(bare)} of {len(wanted)} admissions have no discharge summary or no code; expected MIMIC-III v1.4, "
            f"{_TABLES}; or {_HINT}"
        )
    kept = [admission for admission in wanted if admission in texts and codes[admission]]
    names = tuple(sorted(set().union(*(codes[admission] for admission in kept))))
    ids = {code: i for i, code in enumerate(names)}
    splits: dict[str, list[Example]] = {"train": [], "dev": [], "test": []}
    for admission in kept:
        labels = sorted(ids[code] for code in codes[admission])
        splits[wanted[admission]].append(Example(" ".join(texts[admission]), labels, places[admission]))
    about = (f"{len(bare):,} admissions without a summary or a code left out",) if bare else ()
    raw = RawExamples(notes.parent, _COLUMNS, splits, len(names), names, faults, about)
    raw.check_splits()
    return raw


def _rows(path: Path, name: str, faults: Faults) -> Iterator[Row]:
    """The rows of a table whose header is that of MIMIC-III; where it is not, what stands there is not shown."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        first = file.readline(10_000).decode("utf-8-sig", "replace")
    header = [cell.strip('" \r\n').upper() for cell in first.split(",")]
    if missing := [column for column in _NEEDED[name] if column not in header]:
        raise ValueError(f"{path} has no column {', '.join(missing)}; expected MIMIC-III v1.4, from {_TABLES}")
    if len(set(header)) < len(header):
        raise ValueError(f"{path} has a column twice; expected MIMIC-III v1.4, from {_TABLES}")
    for row in read_rows(path, faults):
        yield Row(row.line, {key.upper(): value for key, value in row.values.items()})
