"""BioASQ, task a: articles of PubMed with their MeSH headings, on the splits of the paper."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sigfft.data import records
from sigfft.data.columns import Columns
from sigfft.data.dataset import Splits
from sigfft.data.raw_examples import Example, RawExamples
from sigfft.data.raw_files import find_file, name_of, read_ids
from sigfft.extras import needs
from sigfft.files.tables import Faults

_ARTICLES = "participants-area.bioasq.org/datasets, 'Training v.2021', as txt, unzipped"
_SUBSETS = "s3://sigmoid-bottleneck/bioasq/data (aws s3 cp --no-sign-request)"
_SPLITS = {"train": "train-100k-part-1.csv", "dev": "valid-5k.csv", "test": "test-10k.csv"}
_COLUMNS = Columns(("journal", "title", "abstractText"), ("meshMajor",), id="pmid")
_PMID = re.compile(rb'(?<!\\)"pmid"\s*:\s*"?(\d+)')  # quotes inside a text have a backslash
_LONGEST = 1 << 24  # bytes of a line
_HINT = "leave out such articles with data.skip_malformed=True"
_SPECIAL = ("<EOS>", "<PAD>")  # lines of the published vocab.txt that are no headings


class Bioasq(records.ArrayBuilder):
    """Articles of BioASQ as token ids, in the order of the files of their PubMed ids."""


def load_bioasq(
    cache_dir: Path,
    *,
    dir: str | Path,
    tokenizer: str = "",
    min_count: int = 3,
    max_length: int = 512,
    skip_malformed: bool = False,
) -> Splits:
    """The splits of the paper: 100,000, 5,000 and 10,000 articles with 20,000 headings.

    The folder holds allMeSH_2021.json, and beside it or in subsets-v-20000/ the files of PubMed ids and vocab.txt, a
    heading a line. A text is journal, title and abstract.

    Args:
      cache_dir: where records are kept.
      dir: the folder.
      tokenizer: a tokenizer.json; "": words of the training texts.
      min_count: of words: times that one stands in the training texts to be in the vocabulary.
      max_length: tokens of a text, at most; further ones are cut.
      skip_malformed: leave out bad articles, and those that are missing, and count them.

    Raises:
      ValueError: a file is missing: which, and where to get it; it is of another version; or, by its line, an article
        that is none, has an unknown heading, or is there twice.
    """
    with needs("train", "data.source=bioasq"):
        from sigfft.data import intake, raw

    articles = find_file(dir, ("allMeSH_2021.json", "allMeSH.json"), _ARTICLES)
    subsets = {split: find_file(dir, (name, f"subsets-v-20000/{name}"), _SUBSETS) for split, name in _SPLITS.items()}
    vocabulary = find_file(dir, ("vocab.txt", "subsets-v-20000/vocab.txt"), _SUBSETS)

    def fit(examples: RawExamples) -> intake.Intake:
        if tokenizer:
            return intake.Tokens.from_file(Path(tokenizer), examples.columns, max_length=max_length)
        texts = (example.input for example in examples.splits["train"])
        return intake.Tokens.fit(texts, examples.columns, min_count=min_count, max_length=max_length)

    files = [articles, vocabulary, *subsets.values(), *([Path(tokenizer)] if Path(tokenizer).is_file() else [])]
    name = name_of(files, [min_count, max_length, tokenizer, skip_malformed])

    def read() -> RawExamples:
        return read_articles(articles, subsets, vocabulary, skip_malformed)

    builder = raw.prepare_examples(Bioasq, cache_dir, name, read, fit, {"tokens": (np.int32, None)})
    return records.read_splits(builder)


def read_articles(articles: Path, subsets: dict[str, Path], vocabulary: Path, skip_malformed: bool) -> RawExamples:
    """The articles of some ids, with a pass over the file that holds one line of it and what was found.

    Args:
      articles: of BioASQ: a JSON object with an article a line.
      subsets: files of ids by split, CSV with a column "pmid".
      vocabulary: headings, one a line.
      skip_malformed: whether bad articles are left out.

    Raises:
      ValueError: as `load_bioasq`.
    """
    headings = [line.strip() for line in vocabulary.read_text(encoding="utf-8").splitlines()]
    names = tuple(heading for heading in headings if heading and heading not in _SPECIAL)
    ids = {heading: i for i, heading in enumerate(names)}
    if not names or len(ids) < len(names):
        raise ValueError(
            f"{vocabulary} must hold a heading a line, none twice; it has {len(names)}, {len(ids)} distinct"
        )
    wanted = read_ids(subsets, "pmid", _SUBSETS)
    faults, found = Faults(skip_malformed, _HINT), dict[str, Example]()
    for number, pmid, line in _lines(articles, faults):
        if pmid not in wanted:
            continue
        try:
            if pmid in found:
                raise ValueError(f"the article {pmid} is there twice")
            found[pmid] = Example(*_parsed(line, ids), (articles, number))
        except ValueError as error:
            faults.add(articles, number, str(error))
    missing = [pmid for pmid in wanted if pmid not in found]
    if missing and not skip_malformed:
        raise ValueError(
            f"{articles} lacks {len(missing)} of {len(wanted)} articles, such as {missing[0]}: expected the version of "
            f"2021, {_ARTICLES}; or {_HINT}"
        )
    splits = {split: [found[p] for p, own in wanted.items() if own == split and p in found] for split in subsets}
    notes = (f"{len(missing):,} articles missing",) if missing else ()
    raw = RawExamples(articles.parent, _COLUMNS, splits, len(names), names, faults, notes)
    raw.check_splits()
    return raw


def _lines(path: Path, faults: Faults) -> Iterator[tuple[int, str, bytes]]:
    """The articles: number of the line, id, and the line as it stands; only one of them is held at a time."""
    with path.open("rb") as file:
        first = file.readline(_LONGEST)
        if not re.match(rb'\s*\{\s*"articles"\s*:\s*\[', first):
            raise ValueError(f'{path} must start with {{"articles":[, an article a line; get it from {_ARTICLES}')
        lines = itertools.chain([first.partition(b"[")[2]], iter(lambda: file.readline(_LONGEST), b""))
        for number, line in enumerate(lines, 1):
            if len(line) >= _LONGEST - 64:  # the first one lacks its beginning
                raise ValueError(f"{path}:{number}: a line of {_LONGEST:,} bytes or more; expected an article a line")
            yield from _identified(path, number, line, faults)


def _identified(path: Path, number: int, line: bytes, faults: Faults) -> Iterator[tuple[int, str, bytes]]:
    if not line.strip(b" \t\r\n]},"):
        return
    match = _PMID.search(line)
    if match:
        yield number, str(int(match[1])), line
    else:
        faults.add(path, number, "expected an article with a pmid")


def _parsed(line: bytes, ids: dict[str, int]) -> tuple[str, list[int]]:
    """Text and labels of an article."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode("latin-1")  # what the published code reads
    try:
        article, _ = json.JSONDecoder().raw_decode(text.lstrip())  # what follows is a comma, or the end of the whole
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(article, dict):
        raise ValueError("expected an article, a JSON object")
    parts: list[Any] = [article.get(name) or "" for name in _COLUMNS.inputs]
    headings = article.get("meshMajor")
    if not all(isinstance(part, str) for part in parts):
        raise ValueError(f"expected texts in {', '.join(_COLUMNS.inputs)}")
    if not isinstance(headings, list) or not all(isinstance(heading, str) for heading in headings):
        raise ValueError("expected a list of headings in meshMajor")
    unknown = next((heading for heading in headings if heading not in ids), None)
    if unknown is not None:
        raise ValueError(f"unknown label {unknown!r:.60}: vocab.txt lists others")
    return "\n".join(part for part in parts if part), sorted({ids[heading] for heading in headings})
