"""From raw examples to features: fitted on the training examples, stored with a run as JSON, and used again to predict.

`INTAKES[kind]` are frozen dataclasses of JSON values, with the columns of a table that they read: `load` takes what the
columns hold, and `features` what `load` gives.
"""

import abc
import concurrent.futures
import dataclasses
import functools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tokenizers
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from sklearn.feature_extraction.text import TfidfVectorizer
from tokenizers import models, normalizers, pre_tokenizers, trainers

from sigfft.data.columns import Columns
from sigfft.data.dataset import Features, ImageFeatures, SparseFeatures, TokenFeatures

_TEXTS = 1024  # encoded at a time


@dataclasses.dataclass(frozen=True)
class Intake(abc.ABC):
    """What turns raw examples into features."""

    kind: ClassVar[str]

    columns: Columns

    @property
    @abc.abstractmethod
    def sizes(self) -> dict[str, int]:
        """Numbers that reading the records takes."""

    def load(self, inputs: Sequence[str], home: Path) -> list[Any]:
        """What `features` takes, of texts or of paths that start in `home`; a ValueError in place of one that fails."""
        return list(inputs)

    @abc.abstractmethod
    def features(self, loaded: Sequence[Any]) -> Features:
        """Features of examples, as wide as the widest of them."""


@dataclasses.dataclass(frozen=True)
class TfIdf(Intake):
    """Texts as sparse weights of words or of n-grams: (1 + log count) times the inverse document frequency.

    Words are lower case, of two characters or more. scikit-learn's vectorizer, rebuilt from its words and weights.
    """

    kind: ClassVar[str] = "tf-idf"

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
    def sizes(self) -> dict[str, int]:
        return {"n_features": len(self.words)}

    def features(self, loaded: Sequence[str]) -> SparseFeatures:
        """Rows of unit length; empty ones where no word is known."""
        rows = self._transform.transform(loaded)
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
class Tokens(Intake):
    """Texts as ids of tokens, by a tokenizer of the `tokenizers` library, cut to its own greatest length."""

    kind: ClassVar[str] = "tokens"

    tokenizer: str  # as JSON, as a tokenizer.json holds it

    @classmethod
    def fit(cls, texts: Iterable[str], columns: Columns, *, min_count: int, max_length: int) -> "Tokens":
        """Lower-case words that stand `min_count` times or more, the most frequent first: 0 pads, 1 is any other."""
        made = tokenizers.Tokenizer(models.WordLevel(unk_token="[UNK]"))
        made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
        made.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(r"\w+"), behavior="removed", invert=True)
        special = ["[PAD]", "[UNK]"]
        trainer = trainers.WordLevelTrainer(
            vocab_size=2**31 - 1, min_frequency=min_count, special_tokens=special, show_progress=False
        )
        made.train_from_iterator(texts, trainer)
        made.enable_truncation(max_length)
        return cls(columns, made.to_str())

    @classmethod
    def fit_caml(cls, texts: Iterable[str], columns: Columns, *, min_texts: int, max_length: int) -> "Tokens":
        """Lower-case words that are not digits alone and stand in `min_texts` texts or more: 0 pads, 1 is any other.

        Raises:
          ValueError: there is no such word.

        Reference: Mullenbach et al. (2018), arXiv 1802.05695, and its published preprocessing.
        """
        made = tokenizers.Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1}, unk_token="[UNK]"))
        made.normalizer = normalizers.Lowercase()
        words = pre_tokenizers.Split(tokenizers.Regex(r"\w+"), behavior="removed", invert=True)
        numbers = pre_tokenizers.Split(tokenizers.Regex(r"^\p{N}+$"), behavior="removed")
        made.pre_tokenizer = pre_tokenizers.Sequence([words, numbers])
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update({word for word, _ in made.pre_tokenizer.pre_tokenize_str(text.lower())})
        known = sorted(word for word, count in counts.items() if count >= min_texts)
        if not known:
            raise ValueError(f"no word stands in {min_texts} training texts or more; lower data.min_count")
        vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", *known])}
        made.model = models.WordLevel(vocabulary, unk_token="[UNK]")
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
    def sizes(self) -> dict[str, int]:
        return {"n_tokens": self.n_tokens}

    @functools.cached_property
    def n_tokens(self) -> int:
        """One more than the largest id."""
        return 1 + max(self._made.get_vocab(with_added_tokens=True).values())

    @property
    def max_length(self) -> int:
        """Tokens of a text, at most."""
        return int((self._made.truncation or {})["max_length"])

    def features(self, loaded: Sequence[str]) -> TokenFeatures:
        """Rows of ids, each with the tokens that the tokenizer adds."""
        parts = [loaded[start : start + _TEXTS] for start in range(0, len(loaded), _TEXTS)]  # encodings are large
        rows = [encoding.ids for part in parts for encoding in self._made.encode_batch_fast(list(part))]
        counts = np.array([len(ids) for ids in rows], np.int64)
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        ids = np.fromiter((i for row in rows for i in row), np.int32, int(counts.sum()))
        return TokenFeatures(indptr, ids, self.n_tokens, int(counts.max(initial=1)))

    @functools.cached_property
    def _made(self) -> tokenizers.Tokenizer:
        return tokenizers.Tokenizer.from_str(self.tokenizer)


@dataclasses.dataclass(frozen=True)
class Pixels(Intake):
    """Images in colour, cut to a square at their middle and brought to one size."""

    kind: ClassVar[str] = "pixels"

    size: int  # pixels of a side

    @property
    def sizes(self) -> dict[str, int]:
        return {"image_size": self.size}

    def load(self, inputs: Sequence[str], home: Path) -> list[Any]:
        """Images of files, uint8 (size, size, 3); JPEG and PNG."""
        with concurrent.futures.ThreadPoolExecutor() as threads:
            return list(threads.map(lambda path: self._opened(home / path), inputs))

    def features(self, loaded: Sequence[UInt8[np.ndarray, "height width 3"]]) -> ImageFeatures:
        return ImageFeatures(np.stack(loaded) if loaded else np.zeros((0, self.size, self.size, 3), np.uint8))

    def _opened(self, path: Path) -> np.ndarray | ValueError:
        try:
            with Image.open(path, formats=("JPEG", "PNG")) as image:
                image.draft("RGB", (2 * self.size, 2 * self.size))
                upright = _eight_bits(ImageOps.exif_transpose(image))
                return np.asarray(ImageOps.fit(upright.convert("RGB"), (self.size, self.size)))
        except Exception as error:  # Pillow raises many kinds; each means that there is no image
            told = "it is no JPEG and no PNG" if isinstance(error, UnidentifiedImageError) else str(error)
            return ValueError(f"the image {path} does not decode: {told}")


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image, of which 16-bit greys are shifted to 8: Pillow would cut them off at 255."""
    if not image.mode.startswith("I"):
        return image
    greys = np.asarray(image).astype(np.int64)
    if greys.min(initial=0) < 0 or greys.max(initial=0) >= 1 << 16:
        raise ValueError(f"its greys are {greys.min()} to {greys.max()}; expected 8 or 16 bits")
    return Image.fromarray((greys >> 8).astype(np.uint8))


INTAKES: dict[str, Any] = {made.kind: made for made in (TfIdf, Tokens, Pixels)}


def to_json(intake: Intake) -> dict[str, Any]:
    """What `from_json` reads."""
    return {"kind": intake.kind, **dataclasses.asdict(intake)}


def from_json(stored: Mapping[str, Any]) -> Intake:
    """The intake that `to_json` told of.

    Raises:
      ValueError: it tells of none.
    """
    try:
        fields = {name: value for name, value in stored.items() if name not in ("kind", "columns")}
        return INTAKES[stored["kind"]](Columns(**_tuples(stored["columns"])), **_tuples(fields))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not how raw examples become features: {json.dumps(stored)[:60]} ({error!r})") from error


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def _vectorizer(ngrams: int, **options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(ngram_range=(1, ngrams), sublinear_tf=True, dtype=np.float32, **options)
