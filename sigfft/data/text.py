"""Texts with label sets, as JSON lines or CSV hold them, through a TFDS builder."""

import hashlib
from pathlib import Path

import numpy as np

from sigfft.data import records
from sigfft.data.dataset import Splits
from sigfft.data.raw_examples import RawExamples, RawOptions
from sigfft.extras import needs

_KINDS = ("tf-idf", "tokens")


class Text(records.ArrayBuilder):
    """Multi-label texts as tf-idf weights or token ids, in the order of their rows."""


def load_text(
    cache_dir: Path,
    *,
    dir: str | Path,
    text_as: str = "",
    ngrams: int = 1,
    min_count: int = 3,
    max_length: int = 512,
    tokenizer: str = "",
    max_features: int = 0,
    text_columns: str = "",
    label_column: str = "",
    split_column: str = "",
    label_delimiter: str = "",
    keep_unlabelled: bool = False,
    skip_malformed: bool = False,
) -> Splits:
    """The splits of a folder with tables `train`, `test` and perhaps `dev`, or with one table, also gzipped.

    A row has one or more columns of text, and labels: names or ids, in a list, in a string with delimiters, or in
    columns of 0 and 1. Without tables of splits a column "split" tells them, and without that a hash of "id" or of the
    text, 80 to 10 to 10 %. Names of labels are read from the folder (`files.names`).

    Args:
      cache_dir: where records are kept.
      dir: the folder, or a table.
      text_as: "tf-idf", of words or n-grams, or "tokens", for encoders of sequences; "": "tokens" where there is a
        tokenizer, and else "tf-idf".
      ngrams: words of an n-gram, at most.
      min_count: training texts that a word stands in, or times that a token does, to be in the vocabulary.
      max_length: tokens of a text, at most; further ones are cut.
      tokenizer: a tokenizer.json; "": words of the training texts.
      max_features: of tf-idf, how many weights of each text to keep, the largest; 0: all.
      text_columns: columns of text, separated by commas; "": those of words (`columns.find_columns`).
      label_column: where labels are; "": as `columns.find_columns` finds it.
      split_column: where splits are; "": "split", "subset" or "partition".
      label_delimiter: between labels in a string; "": the first of | ; , that one of them has.
      keep_unlabelled: also texts whose list of labels is empty.
      skip_malformed: leave out bad rows, and count them.

    Raises:
      ValueError: as `raw_examples.read_examples`; a tokenizer that is none; or an argument out of its range.
    """
    with needs("train", "data.source=text"):
        from sigfft.data import intake, raw  # scikit-learn and tokenizers, which take a second

    kind = text_as or ("tokens" if tokenizer else "tf-idf")
    if kind not in _KINDS:
        raise ValueError(f"text_as={text_as!r} must be one of {', '.join(_KINDS)}")
    for name, value in {"ngrams": ngrams, "min_count": min_count, "max_length": max_length}.items():
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1")
    if kind == "tokens" and max_features:
        raise ValueError(f"max_features={max_features} is of tf-idf; tokens have max_length={max_length}")
    if kind == "tf-idf" and tokenizer:
        raise ValueError(f"text_as='tf-idf' has words of its own; leave out tokenizer={tokenizer!r}")
    options = RawOptions(
        text_columns=text_columns,
        label_column=label_column,
        split_column=split_column,
        label_delimiter=label_delimiter,
        keep_unlabelled=keep_unlabelled,
        skip_malformed=skip_malformed,
    )

    def fit(examples: RawExamples) -> intake.Intake:
        texts = (example.input for example in examples.splits["train"])
        if kind == "tf-idf":
            return intake.TfIdf.fit(texts, examples.columns, ngrams=ngrams, min_count=min_count)
        if tokenizer:
            return intake.Tokens.from_file(Path(tokenizer), examples.columns, max_length=max_length)
        return intake.Tokens.fit(texts, examples.columns, min_count=min_count, max_length=max_length)

    sparse = {"feature_ids": (np.int32, None), "feature_values": (np.float32, None)}
    arrays: dict = sparse if kind == "tf-idf" else {"tokens": (np.int32, None)}
    path = Path(tokenizer)
    content = hashlib.blake2b(path.read_bytes()).hexdigest() if tokenizer and path.is_file() else tokenizer
    settings = [kind, ngrams if kind == "tf-idf" else 0, min_count, max_length if kind == "tokens" else 0, content]
    builder = raw.prepare_raw(Text, cache_dir, folder_of(dir), options, fit, arrays, settings)
    return records.read_splits(builder, max_features)


def folder_of(dir: str | Path) -> Path:
    """The folder or file that holds examples.

    Raises:
      ValueError: there is none.
    """
    if not str(dir):
        raise ValueError("dir is empty; name the folder of the data: data.dir=FOLDER")
    if not Path(dir).exists():
        raise ValueError(f"there is no folder {dir}; give the folder of the data: data.dir=FOLDER")
    return Path(dir)
