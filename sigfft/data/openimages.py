"""Open Images V6: images with the labels that people confirmed, on the splits of the paper."""

from pathlib import Path

import numpy as np

from sigfft.data import records
from sigfft.data.columns import Columns
from sigfft.data.dataset import Splits
from sigfft.data.raw_examples import Example, RawExamples
from sigfft.data.raw_files import find_file, name_of
from sigfft.extras import needs
from sigfft.files.tables import Faults, read_rows

_WEB = "storage.googleapis.com/openimages"
_LABELS = {
    "train": ("oidv6-train-annotations-human-imagelabels.csv", f"{_WEB}/v6"),
    "dev": ("validation-annotations-human-imagelabels.csv", f"{_WEB}/v5"),
    "test": ("test-annotations-human-imagelabels.csv", f"{_WEB}/v5"),
}
_FOLDERS = {"train": "train_1", "dev": "validation", "test": "test"}
_NEEDED = ("ImageID", "LabelName", "Confidence")
_MOST = {"dev": 5000, "test": 10_000}  # images that the paper takes of these splits
_SHUFFLED_BY = 41  # the seed of the paper's order
_HINT = "leave out such rows with data.skip_malformed=True"


class OpenImages(records.ArrayBuilder):
    """Images of Open Images V6 of one size, in the order of the paper."""


def load_openimages(cache_dir: Path, *, dir: str | Path, image_size: int = 448, skip_malformed: bool = False) -> Splits:
    """The splits of the paper: images of train_1, 5,000 of validation and 10,000 of test, with 8,933 labels.

    The folder holds the three tables of human-verified labels at the level of images, oidv6-class-descriptions.csv,
    oidv6-classes-trainable.txt, and the images in train_1/, validation/ and test/. A label counts where its confidence
    is 1. Labels are the trainable ones of the training images; an image with any other label is left out, as in the
    paper. Images are cut to a square at their middle and brought to one size; all of them are held in memory,
    3 · image_size² bytes each.

    Args:
      cache_dir: where records are kept.
      dir: the folder.
      image_size: pixels of a side.
      skip_malformed: leave out bad rows and images that do not decode, and count them.

    Raises:
      ValueError: a file or a folder is missing: which, and where to get it; images do not decode; or, by its line, a
        row that is none, an unknown label, or an image that is in two splits.
    """
    with needs("train", "data.source=openimages"):
        from sigfft.data import intake, raw

    if image_size < 1:
        raise ValueError(f"image_size={image_size} must be at least 1 pixel")
    tables = {split: find_file(dir, (name,), where) for split, (name, where) in _LABELS.items()}
    folders = {
        split: find_file(dir, (name,), f"s3://open-images-dataset/tar/{name}.tar.gz")
        for split, name in _FOLDERS.items()
    }
    descriptions = find_file(dir, ("oidv6-class-descriptions.csv",), f"{_WEB}/v6")
    trainable = find_file(dir, ("oidv6-classes-trainable.txt",), f"{_WEB}/v6")
    images = {split: sorted(own.glob("*.jpg")) for split, own in folders.items()}
    files = [*tables.values(), descriptions, trainable, *(image for own in images.values() for image in own)]

    def read() -> RawExamples:
        return _read_images(tables, images, descriptions, trainable, skip_malformed)

    def fit(examples: RawExamples) -> intake.Intake:
        return intake.Pixels(examples.columns, image_size)

    name = name_of(files, [image_size, skip_malformed])
    builder = raw.prepare_examples(OpenImages, cache_dir, name, read, fit, {"image": (np.uint8, 3 * image_size**2)})
    return records.read_splits(builder)


def _read_images(
    tables: dict[str, Path],
    images: dict[str, list[Path]],
    descriptions: Path,
    trainable: Path,
    skip_malformed: bool,
) -> RawExamples:
    faults = Faults(skip_malformed, _HINT)
    called = _descriptions(descriptions, faults)
    usable = {line.strip() for line in trainable.read_text(encoding="utf-8").splitlines()}
    splits_of: dict[str, str] = {}
    for split, paths in images.items():
        for path in paths:
            if path.stem in splits_of:
                faults.add(path, 1, f"the image is in {splits_of[path.stem]} as well; an image has one split")
            splits_of.setdefault(path.stem, split)
    labels = {split: _labels_in(path, split, splits_of, called, faults) for split, path in tables.items()}
    known = {label for own, _ in labels["train"].values() for label in own} & usable
    covered: dict[str, dict[str, tuple[set[str], int]]] = {}
    for split, own in labels.items():  # train first: its images that are left say which labels there are
        covered[split] = {image: found for image, found in own.items() if found[0] <= known}
        if split == "train":
            known = {label for found, _ in covered["train"].values() for label in found}
    order = sorted(known)
    ids = {label: i for i, label in enumerate(order)}
    left_out = sum(map(len, labels.values())) - sum(map(len, covered.values()))
    splits: dict[str, list[Example]] = {}
    for split, own in covered.items():
        names = sorted(own)
        chosen = np.random.RandomState(_SHUFFLED_BY).permutation(len(names))[: _MOST.get(split)]
        folder = images[split][0].parent.name if images[split] else ""
        splits[split] = []
        for name in (names[i] for i in chosen):
            found, line = own[name]
            example = Example(f"{folder}/{name}.jpg", sorted(ids[label] for label in found), (tables[split], line))
            splits[split].append(example)
    shown = tuple(called[label] for label in order)
    notes = (f"{left_out:,} images with labels that are not trained left out",) if left_out else ()
    columns = Columns(("path",), ("labels",), images=True)
    raw = RawExamples(trainable.parent, columns, splits, len(order), shown, faults, notes)
    raw.check_splits()
    return raw


def _descriptions(path: Path, faults: Faults) -> dict[str, str]:
    called: dict[str, str] = {}
    for row in read_rows(path, faults):
        if "LabelName" not in row.values or "DisplayName" not in row.values:
            raise ValueError(f"{path} has no header LabelName,DisplayName: get the version of V6 from {_WEB}/v6")
        if row.values["LabelName"] in called:
            faults.add(path, row.line, f"the label {row.values['LabelName']} is there twice")
        called.setdefault(row.values["LabelName"], row.values["DisplayName"])
    return called


def _labels_in(
    path: Path, split: str, splits_of: dict[str, str], called: dict[str, str], faults: Faults
) -> dict[str, tuple[set[str], int]]:
    """The confirmed labels of each image that is there, and the line of its first one."""
    found: dict[str, tuple[set[str], int]] = {}
    for row in read_rows(path, faults):
        if missing := [column for column in _NEEDED if column not in row.values]:
            raise ValueError(f"{path} has no column {', '.join(missing)}; get it from {_LABELS[split][1]}/{path.name}")
        image, label = row.values["ImageID"], row.values["LabelName"]
        if splits_of.get(image) != split:
            continue
        try:
            confirmed = float(row.values["Confidence"]) == 1
        except ValueError:
            faults.add(path, row.line, f"expected a number in Confidence; given {row.values['Confidence']!r:.60}")
            continue
        if confirmed and label not in called:
            faults.add(path, row.line, f"unknown label {label!r:.60}: oidv6-class-descriptions.csv lists others")
        elif confirmed:
            found.setdefault(image, (set(), row.line))[0].add(label)
    return found
