"""The raw files of the paper's three data sets, tiny and made up, in their published formats."""

import csv
import json

from scenes import LABELS, scenes

COUNTS = {"train": 24, "dev": 8, "test": 8}
CODES = ("4019", "E8120", "V270", "25000", "428", "0331", "3893")  # one for each of LABELS; the last two are procedures
SHOWN = ("401.9", "E812.0", "V27.0", "250.00", "428", "03.31", "38.93")


def examples():
    """The split, number, text and labels of each example."""
    splits = [split for split, count in COUNTS.items() for _ in range(count)]
    for i, (split, (text, picture, labels)) in enumerate(zip(splits, scenes(len(splits)), strict=True)):
        yield split, i, text, picture, labels


def write_bioasq(folder, articles=None):
    """allMeSH_2021.json, ids and vocabulary; `articles` changes the lines."""
    (folder / "subsets-v-20000").mkdir(parents=True)
    lines = []
    for _, i, text, _, labels in examples():
        parts = {"journal": "Drawings", "meshMajor": labels, "year": "2020", "abstractText": f'say "pmid": {text}'}
        lines.append(json.dumps(parts | {"pmid": str(100 + i), "title": "A scene."}))
    lines.append(json.dumps({"pmid": "7", "journal": "Others", "meshMajor": ["Mice"], "abstractText": "", "title": ""}))
    lines = articles(lines) if articles else lines
    text = '{"articles":[\n' + ",\n".join(lines) + "]}"
    (folder / "allMeSH_2021.json").write_bytes(text.encode("latin-1"))
    names = {"train": "train-100k-part-1", "dev": "valid-5k", "test": "test-10k"}
    for split, name in names.items():
        ids = "".join(f"{i},{100 + i}\n" for own, i, *_ in examples() if own == split)
        (folder / "subsets-v-20000" / f"{name}.csv").write_text(f",pmid\n{ids}")
    (folder / "subsets-v-20000" / "vocab.txt").write_text("\n".join([*LABELS, "<EOS>", "<PAD>"]))
    return folder


def write_mimic3(folder, notes=None):
    """Tables of MIMIC-III and CAML's files of ids; `notes` changes the rows of NOTEEVENTS."""
    folder.mkdir(parents=True)
    columns = ["ROW_ID", "SUBJECT_ID", "HADM_ID", "CHARTDATE", "CHARTTIME", "STORETIME"]
    columns += ["CATEGORY", "DESCRIPTION", "CGID", "ISERROR", "TEXT"]
    rows = [columns, ["900", "1", "100", *[""] * 3, "Radiology", "Report", "", "", "not a summary"]]
    codes = {"DIAGNOSES_ICD": [], "PROCEDURES_ICD": []}
    for _, i, text, _, labels in examples():
        for part, kind in ((f"Admission 12:\n{text.upper()}.", "Report"), (f"seen\n{i} times", "Addendum")):
            row = [str(len(rows)), str(i), str(100 + i), *[""] * 3, "Discharge summary", kind, "", "", part]
            rows.append(row)
        for label in labels:
            at = LABELS.index(label)
            codes["DIAGNOSES_ICD" if at < 5 else "PROCEDURES_ICD"].append([i, i, 100 + i, 1, CODES[at]])
    codes["DIAGNOSES_ICD"].append([0, 0, 5, 1, "99999"])  # of an admission of no split
    codes["DIAGNOSES_ICD"].append([0, 0, 100, 2, ""])
    _write(folder / "NOTEEVENTS.csv", notes(rows) if notes else rows)
    for name, own in codes.items():
        _write(folder / f"{name}.csv", [["ROW_ID", "SUBJECT_ID", "HADM_ID", "SEQ_NUM", "ICD9_CODE"], *own])
    for split in COUNTS:
        ids = "".join(f"{100 + i}\n" for own, i, *_ in examples() if own == split)
        (folder / f"{split}_full_hadm_ids.csv").write_text(ids)
    return folder


def write_openimages(folder):
    """Tables of labels, descriptions, trainable classes and folders of images."""
    names = {
        "train": ("train_1", "oidv6-train-annotations-human-imagelabels.csv"),
        "dev": ("validation", "validation-annotations-human-imagelabels.csv"),
        "test": ("test", "test-annotations-human-imagelabels.csv"),
    }
    rows = {split: [["ImageID", "Source", "LabelName", "Confidence"]] for split in names}
    for split, i, _, picture, labels in examples():
        home = folder / names[split][0]
        home.mkdir(parents=True, exist_ok=True)
        picture.save(home / f"1{i:03}.jpg", quality=95)
        rows[split] += [[f"1{i:03}", "verification", f"/m/{label}", 1] for label in labels]
        rows[split].append([f"1{i:03}", "verification", "/m/absent", 0])
    rows["train"] += [["0001", "verification", "/m/red", 1], ["1000", "verification", f"/m/{LABELS[0]}", 0]]
    rows["test"].append(["1039", "verification", "/m/rare", 1])  # is not trained: the image is left out
    for split, own in rows.items():
        _write(folder / names[split][1], own)
    described = [[f"/m/{label}", label.title()] for label in (*LABELS, "rare", "absent")]
    _write(folder / "oidv6-class-descriptions.csv", [["LabelName", "DisplayName"], *described])
    (folder / "oidv6-classes-trainable.txt").write_text("".join(f"/m/{label}\n" for label in LABELS))
    return folder


def _write(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
