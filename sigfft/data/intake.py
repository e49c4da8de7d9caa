"""From raw examples to features: fitted on the training examples, stored with a run as JSON, and used again to predict.

`INTAKES[kind]` are frozen dataclasses of JSON values, with the columns of a table that they read. `features` takes
texts, or opened images, in memory.
"""

import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import tokenizers
from PIL import Image, ImageOps, UnidentifiedImageError
from sklearn.feature_extraction.text import TfidfVectorizer
from tokenizers import models, normalizers, pre_tokenizers, trainers

from sigfft.data.columns import Columns
from sigfft.data.dataset import Features, ImageFeatures, SparseFeatures, TokenFeatures


class Intake(Protocol):
    """What turns raw examples into features."""

    kind: ClassVar[str]
    columns: Columns

    @property
    def arrays(self) -> Mapping[str, tuple[type[np.number], int | None]]:
        """dtype, and length or None, of each array of a record."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Numbers that reading the records takes."""

    def features(self, inputs: Sequence[Any]) -> Features:
        """Features of examples, as wide as the widest of them."""


@dataclasses.dataclass(frozen=True)
class TfIdf:
    """Texts as sparse weights of words or of n-grams: (1 + log count) times the inverse document frequency.

    Words are lower case, of two characters or more. scikit-learn's vectorizer, rebuilt from its words and weights.
    """

    kind: ClassVar[str] = "tf-idf"

    columns: Columns
    words: tuple[str, ...]  # in the order of their ids
    idf: tuple[float, ...]  # of the words
    ngrams: int = 1

    @classmethod
    def fit(cls, texts: Iterable[str], columns: Columns, *, ngrams: int, min_count: int) -> "TfIdf":
        """The words, or runs of up to `ngrams` words, that stand in `min_count` texts or more.

        Raises:
          ValueError: there are none.
        """
        try:
            vectorizer = _vectorizer(ngrams, min_df=min_count).fit(texts)
        except ValueError as error:  # of an empty vocabulary, in two ways
            raise ValueError(f"no word stands in {min_count} training texts or more; lower data.min_count") from error
        words = vectorizer.get_feature_names_out()
        return cls(columns, tuple(map(str, words)), tuple(map(float, vectorizer.idf_)), ngrams)

    @property
    def arrays(self) -> Mapping[str, tuple[type[np.number], int | None]]:
        return {"feature_ids": (np.int32, None), "feature_values": (np.float32, None)}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"n_features": len(self.words)}

    def features(self, inputs: Sequence[str]) -> SparseFeatures:
        """Rows of unit length; empty ones where no word is known."""
        rows = self._transform.transform(inputs)
        rows.sort_indices()
        indptr, ids = rows.indptr.astype(np.int64), rows.indices.astype(np.int32)
        widest = int(np.diff(indptr).max(initial=1))
        return SparseFeatures(indptr, ids, rows.data.astype(np.float32), len(self.words), widest)

    @functools.cached_property
    def _transform(self) -> TfidfVectorizer:
        vectorizer = _vectorizer(self.ngrams, vocabulary={word: i for i, word in enumerate(self.words)})
        vectorizer.idf_ = np.asarray(self.idf, np.float32)
        return vectorizer


@dataclasses.dataclass(frozen=True)
class Tokens:
    """Texts as ids of tokens, by a tokenizer of the `tokenizers` library, cut to its own greatest length."""

    kind: ClassVar[str] = "tokens"

    columns: Columns
    tokenizer: str  # as JSON, as a tokenizer.json holds it

    @classmethod
    def fit(cls, texts: Iterable[str], columns: Columns, *, min_count: int, max_length: int) -> "Tokens":
        """Lower-case words that stand `min_count` times or more, the most frequent first: 0 pads, 1 is any other."""
        made = tokenizers.Tokenizer(models.WordLevel(unk_token="[UNK]"))
        made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
        made.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(r"\w+"), behavior="removed", invert=True)
        special = ["[PAD]", "[UNK]"]
        options = {"min_frequency": min_count, "vocab_size": 2**31 - 1, "special_tokens": special}
        made.train_from_iterator(texts, trainers.WordLevelTrainer(show_progress=False, **options))
        made.enable_truncation(max_length)
        return cls(columns, made.to_str())

    @classmethod
    def from_file(cls, path: Path, columns: Columns, *, max_length: int) -> "Tokens":
        """A tokenizer.json, with its own tokens and ids.

        Raises:
          ValueError: the file is missing, or is no tokenizer.
        """
        try:
            made = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"the tokenizer {path} cannot be read: {error}") from error
        except Exception as error:  # tokenizers raises no other kind
            raise ValueError(f"{path} is no tokenizer.json of the tokenizers library: {error}") from error
        made.no_padding()
        made.enable_truncation(max_length)
        return cls(columns, made.to_str())

    @property
    def arrays(self) -> Mapping[str, tuple[type[np.number], int | None]]:
        return {"tokens": (np.int32, None)}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"n_tokens": self.n_tokens}

    @functools.cached_property
    def n_tokens(self) -> int:
        """One more than the largest id."""
        return 1 + max(self._made.get_vocab(with_added_tokens=True).values())

    @property
    def max_length(self) -> int:
        """Tokens of a text, at most."""
        return int(self._made.truncation["max_length"])

    def features(self, inputs: Sequence[str]) -> TokenFeatures:
        rows = [encoding.ids for encoding in self._made.encode_batch_fast(list(inputs))]
        counts = np.array([len(ids) for ids in rows], np.int64)
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        ids = np.fromiter((i for row in rows for i in row), np.int32, int(counts.sum()))
        return TokenFeatures(indptr, ids, self.n_tokens, int(counts.max(initial=1)))

    @functools.cached_property
    def _made(self) -> tokenizers.Tokenizer:
        return tokenizers.Tokenizer.from_str(self.tokenizer)


@dataclasses.dataclass(frozen=True)
class Pixels:
    """Images in colour, cut to a square at their middle and brought to one size."""

    kind: ClassVar[str] = "pixels"

    columns: Columns
    size: int  # pixels of a side

    @property
    def arrays(self) -> Mapping[str, tuple[type[np.number], int | None]]:
        return {"image": (np.uint8, 3 * self.size**2)}

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"image_size": self.size}

    def features(self, inputs: Sequence[Path]) -> ImageFeatures:
        """Of the files of images.

        Raises:
          ValueError: a file is missing, or is no JPEG or PNG.
        """
        pixels = [self.pixels(path) for path in inputs]
        return ImageFeatures(np.stack(pixels) if pixels else np.zeros((0, self.size, self.size, 3), np.uint8))

    def pixels(self, path: Path) -> np.ndarray:
        """One image, uint8 (size, size, 3)."""
        try:
            with Image.open(path, formats=("JPEG", "PNG")) as image:
                image.draft("RGB", (2 * self.size, 2 * self.size))
                upright = ImageOps.exif_transpose(image)
                return np.asarray(ImageOps.fit(upright.convert("RGB"), (self.size, self.size)))
        except UnidentifiedImageError as error:
            raise ValueError(f"{path} is no JPEG and no PNG") from error
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f"{path} does not decode: {error}") from error


INTAKES: dict[str, Any] = {made.kind: made for made in (TfIdf, Tokens, Pixels)}


def to_json(intake: Intake) -> dict[str, Any]:
    """What `from_json` reads."""
    return {"kind": intake.kind, **dataclasses.asdict(intake)}  # type: ignore[call-overload]


def from_json(stored: Mapping[str, Any]) -> Intake:
    """The intake that `to_json` told of.

    Raises:
      ValueError: it tells of none.
    """
    try:
        fields = {name: tuple(v) if isinstance(v, list) else v for name, v in stored.items() if name != "kind"}
        columns = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.pop("columns").items()}
        return INTAKES[stored["kind"]](Columns(**columns), **fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not how raw examples become features: {json.dumps(stored)[:60]} ({error!r})") from error


def _vectorizer(ngrams: int, **options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(ngram_range=(1, ngrams), sublinear_tf=True, dtype=np.float32, **options)
