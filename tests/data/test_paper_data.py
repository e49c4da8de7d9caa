"""The paper's three data sets from tiny files in their published formats: what is read, and what is refused."""

import gzip
import logging
import shutil

import numpy as np
import paper_data
import pytest
from paper_data import COUNTS, SHOWN
from scenes import LABELS
from tokenizers import Tokenizer

from sigfft.data import load
from sigfft.data.mimic3 import dotted


def sets_of(split):
    return [sorted(split.origin.names[i] for i in row if i < split.n_labels) for row in split.labels]


def wanted(split, shown=None):
    own = [labels for name, *_, labels in paper_data.examples() if name == split]
    return [sorted(shown[label] if shown else label for label in labels) for labels in own]


def words_of(split, row):
    made = Tokenizer.from_str(split.origin.intake["tokenizer"])
    ids = split.features.ids[slice(*split.features.indptr[row : row + 2])]
    return [made.id_to_token(int(i)) for i in ids]


def test_bioasq(tmp_path):
    def others(lines):
        lines[0] = lines[0].replace("A scene.", "Caf\\u00e9 \xe9.")  # latin-1, which is no UTF-8
        return [lines[-1], *reversed(lines[:-1])]

    folder = paper_data.write_bioasq(tmp_path / "data", others)
    splits = load("bioasq", tmp_path / "cache", dir=folder, min_count=1)
    assert {name: len(own) for name, own in splits.items()} == COUNTS
    assert all(sets_of(own) == wanted(name) for name, own in splits.items())
    assert splits["train"].origin.names == LABELS
    text = next(text for *_, text, _, _ in paper_data.examples())
    assert words_of(splits["train"], 0) == f"drawings café é say pmid {text}".split()
    assert splits["test"].features.width <= 512


def test_mimic3(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    folder = paper_data.write_mimic3(tmp_path / "data")
    (folder / "NOTEEVENTS.csv.gz").write_bytes(gzip.compress((folder / "NOTEEVENTS.csv").read_bytes()))
    (folder / "NOTEEVENTS.csv").unlink()
    splits = load("mimic3", folder / ".sigfft", dir=folder)
    assert {name: len(own) for name, own in splits.items()} == COUNTS
    shown = dict(zip(LABELS, SHOWN, strict=True))
    assert all(sets_of(own) == wanted(name, shown) for name, own in splits.items())
    assert splits["train"].origin.names == tuple(sorted(SHOWN))
    text = next(text for *_, text, _, _ in paper_data.examples())
    assert words_of(splits["train"], 0) == f"admission {text} seen times".split()  # the addendum too; no number alone
    assert load("mimic3", folder / ".sigfft", dir=folder, max_length=3)["train"].features.width == 3
    assert "triangle" not in caplog.text
    with pytest.raises(ValueError, match=r"cache_dir=\S*elsewhere is outside of"):
        load("mimic3", tmp_path / "elsewhere", dir=folder)
    assert not (tmp_path / "elsewhere").exists()


def test_words_of_few_texts_are_unknown(tmp_path):
    def rare(rows):
        rows[2][-1] += " once" * 9
        return rows

    splits = load("mimic3", tmp_path / "data" / "c", dir=paper_data.write_mimic3(tmp_path / "data", rare))
    assert words_of(splits["train"], 0).count("[UNK]") == 9


def test_codes_have_their_dots():
    codes = {"4019": "401.9", "428": "428", "E8120": "E812.0", "E812": "E812", "V270": "V27.0", "40.19": "401.9"}
    assert {code: dotted(code, procedure=False) for code in codes} == codes
    assert [dotted(code, procedure=True) for code in ("0331", "66")] == ["03.31", "66."]


def test_openimages(tmp_path):
    folder = paper_data.write_openimages(tmp_path / "data")
    splits = load("openimages", tmp_path / "cache", dir=folder, image_size=8)
    assert {name: len(own) for name, own in splits.items()} == COUNTS | {"test": COUNTS["test"] - 1}
    shown = {label: label.title() for label in LABELS}
    for name, own in splits.items():
        order = np.random.RandomState(41).permutation(len(own))
        assert sets_of(own) == [wanted(name, shown)[i] for i in order]
    assert splits["train"].origin.names == tuple(sorted(shown.values()))
    assert "1 images with labels that are not trained left out" in splits["train"].origin.about
    assert splits["dev"].features.values.shape == (8, 8, 8, 3)


WRITERS = {
    "bioasq": paper_data.write_bioasq,
    "mimic3": paper_data.write_mimic3,
    "openimages": paper_data.write_openimages,
}


def refused(name, folder, complaint):
    with pytest.raises(ValueError, match=complaint) as error:
        load(name, folder / "cache", dir=folder)
    assert "\n" not in str(error.value)
    assert "circle" not in str(error.value)
    assert not [path for path in folder.glob("cache/**/*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "file", "complaint"),
    [
        (
            "bioasq",
            "allMeSH_2021.json",
            r"data lacks allMeSH_2021\.json: get it from participants-area\S+, .* holds sub",
        ),
        ("bioasq", "subsets-v-20000/valid-5k.csv", r"lacks valid-5k\.csv: get it from s3://sigmoid"),
        (
            "mimic3",
            "PROCEDURES_ICD.csv",
            r"lacks PROCEDURES_ICD\.csv: get it from physionet\.org/\S+ .*; the folder holds",
        ),
        ("mimic3", "dev_full_hadm_ids.csv", r"lacks dev_full_hadm_ids\.csv: get it from github\.com/jamesmullenbach"),
        ("openimages", "oidv6-class-descriptions.csv", r"lacks oidv6-class\S+: get it from storage\.googleapis\.com"),
        ("openimages", "train_1", r"lacks train_1: get it from s3://open-images-dataset/tar/train_1\.tar\.gz"),
    ],
)
def test_missing_files_are_named_with_where_to_get_them(name, file, complaint, tmp_path):
    folder = WRITERS[name](tmp_path / "data")
    path = folder / file
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    refused(name, folder, complaint)


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "complaint", "kept"),
    [
        ("bioasq", "allMeSH_2021.json", '{"articles":[', '{"documents":[', r"must start with", None),
        ("bioasq", "allMeSH_2021.json", '"100"', '"099"', r"lacks 1 of 40 articles, such as 100: .* 2021", 23),
        ("bioasq", "allMeSH_2021.json", '"101", "title": "A scene."', '"101", "title', r"json:3: not JSON", 23),
        ("bioasq", "allMeSH_2021.json", '"pmid": "101"', '"pmid": "100"', r"json:3: the article 100 is there", 23),
        ("bioasq", "subsets-v-20000/vocab.txt", "green\n", "", r"json:\d+: unknown label 'green'.*skip_malformed", 18),
        ("bioasq", "subsets-v-20000/test-10k.csv", ",132\n", ",100\n", r"csv:2: .*there twice, before in train", None),
        (
            "mimic3",
            "NOTEEVENTS.csv",
            "ROW_ID,SUBJECT_ID,HADM",
            "circle,red,1",
            r"has no column HADM_ID; expected MIMIC",
            None,
        ),
        ("mimic3", "NOTEEVENTS.csv", ",CATEGORY,", ",KIND,", r"has no column CATEGORY; expected MIMIC-III v1\.4", None),
        ("mimic3", "NOTEEVENTS.csv", "\n3,0,100,", "\n2,0,100,", r"csv:6: the ROW_ID is there twice", 24),
        ("mimic3", "NOTEEVENTS.csv", "\n900,1,100,", "\n900,1,100,,", r"csv:2: 12 cells, the header has 11", 24),
        ("mimic3", "DIAGNOSES_ICD.csv", ",4019\n", ",I10\n", r"csv:\d+: unknown label: expected an ICD-9 code", 24),
        ("openimages", "oidv6-class-descriptions.csv", "/m/green,", "/m/lime,", r"unknown label '/m/green'", None),
        ("openimages", "oidv6-train-annotations-human-imagelabels.csv", ",1\n", ",yes\n", r"csv:2: expected a n", 24),
        ("openimages", "test-annotations-human-imagelabels.csv", "Confidence", "Score", r"no column Confidence", None),
    ],
)
def test_bad_rows_are_named_by_their_line_or_counted(name, file, old, new, complaint, kept, tmp_path):
    folder = WRITERS[name](tmp_path / "data")
    text = (folder / file).read_bytes().decode().replace("\r\n", "\n")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    if complaint:
        refused(name, folder, complaint)
    if kept:
        train = load(name, folder / "cache", dir=folder, skip_malformed=True)["train"]
        assert len(train) == kept
        assert ("malformed rows skipped, the first" in train.origin.about or "missing" in train.origin.about) == bool(
            complaint
        )


def test_an_image_of_two_splits(tmp_path):
    folder = paper_data.write_openimages(tmp_path / "data")
    shutil.copy(folder / "train_1" / "1000.jpg", folder / "test" / "1000.jpg")
    refused("openimages", folder, r"1000\.jpg:1: the image is in train as well")
