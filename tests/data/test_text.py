import json

import numpy as np
import pytest
import scenes
import tokenizers
from sklearn.feature_extraction.text import TfidfVectorizer

from sigfft.data import batches, intake, load
from sigfft.data.columns import Columns


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return scenes.write_texts(tmp_path_factory.mktemp("texts"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def texts(folder, split):
    rows = [json.loads(line) for line in (folder / "scenes.jsonl").read_text().splitlines()]
    return [row["title"] for row in rows if row["split"] == split]


def test_tf_idf_is_that_of_scikit_learn_fitted_on_the_training_texts(folder, cache):
    splits = load("auto", cache, dir=folder)
    assert {name: len(own) for name, own in splits.items()} == {"train": 36, "dev": 12, "test": 12}
    reference = TfidfVectorizer(min_df=3, sublinear_tf=True).fit(texts(folder, "train"))
    origin = splits["test"].origin
    assert origin.names == tuple(sorted(scenes.LABELS))
    made = intake.from_json(json.loads(json.dumps(origin.intake)))
    assert made.words == tuple(reference.get_feature_names_out())
    dense = np.zeros((12, splits["test"].n_features + 1), np.float32)
    (batch,) = batches(splits["test"], 12)
    np.put_along_axis(dense, batch["feature_ids"], batch["feature_values"], axis=1)
    np.testing.assert_allclose(dense[:, :-1], reference.transform(texts(folder, "test")).toarray(), rtol=1e-5)
    again = made.features(texts(folder, "test"))  # as predict does it
    np.testing.assert_array_equal(again.values, splits["test"].features.values)
    np.testing.assert_array_equal(again.ids, splits["test"].features.ids)


def test_the_second_call_reads_the_cache_and_a_changed_file_does_not(folder, cache, tmp_path, monkeypatch):
    load("text", cache, dir=folder)
    with monkeypatch.context() as patched:
        patched.setattr("sigfft.data.raw.read_examples", lambda *_: pytest.fail("read again"))
        assert load("text", cache, dir=folder)["train"].origin.about.startswith("text from title; 7 labels from labels")
    scenes.write_texts(tmp_path, 30)
    before = load("text", cache, dir=tmp_path)["train"]
    (tmp_path / "labels.txt").write_text("".join(f"{name}\n" for name in scenes.LABELS[::-1]))
    after = load("text", cache, dir=tmp_path)["train"]
    assert before.origin.names[0], after.origin.names[0] == ("blue", "triangle")
    assert before.labels.tolist() != after.labels.tolist()


def test_words_as_tokens_the_most_frequent_first(folder, cache):
    splits = load("text", cache, dir=folder, text_as="tokens", min_count=2, max_length=6)
    train, made = splits["train"], intake.from_json(splits["train"].origin.intake)
    batch = train.gather(np.array([0, len(train)]))
    assert batch["tokens"].shape == (2, 6)
    assert batch["token_mask"].tolist() == [[True] * 6, [False] * 6]
    words = tokenizers.Tokenizer.from_str(made.tokenizer)
    first = texts(folder, "train")[0].split()[:6]
    assert words.decode(batch["tokens"][0].tolist()) == " ".join(first)
    assert train.n_features == words.get_vocab_size() == made.n_tokens
    assert (words.token_to_id("[PAD]"), words.token_to_id("[UNK]"), words.token_to_id("a")) == (0, 1, 2)
    assert made.features(["zzz A", ""]).gather(np.arange(2), np.ones(2, bool))["tokens"].tolist() == [[1, 2], [0, 0]]


def test_a_tokenizer_of_ones_own_keeps_its_ids_and_adds_its_tokens(folder, cache, tmp_path):
    vocabulary = {word: i for i, word in enumerate(["there", "[CLS]", "is", "a", "[UNK]", "[SEP]"])}
    own = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    own.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    special = [("[CLS]", 1), ("[SEP]", 5)]
    own.post_processor = tokenizers.processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=special)
    own.enable_padding(length=40)
    own.save(str(tmp_path / "tokenizer.json"))
    train = load("text", cache, dir=folder, tokenizer=str(tmp_path / "tokenizer.json"), max_length=6)["train"]
    batch = train.gather(np.array([0]))
    assert batch["tokens"].tolist() == [[1, 0, 2, 3, 4, 5]]
    assert batch["token_mask"].all()
    assert train.n_features == 6


def test_n_grams(folder, cache):
    words = load("text", cache, dir=folder, ngrams=2)["train"].origin.intake["words"]
    assert {"there", "there is"} <= set(words)
    assert not any(word.count(" ") > 1 for word in words)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"dir": ""}, "dir is empty; name the folder of the data"),
        ({"dir": "no/such"}, "there is no folder no/such; give the folder of the data"),
        ({"text_as": "bags"}, "text_as='bags' must be one of tf-idf, tokens"),
        ({"ngrams": 0}, "ngrams=0 must be at least 1"),
        ({"min_count": 1000}, "no word stands in 1000 training texts or more; lower data.min_count"),
        ({"tokenizer": "none.json"}, r"the tokenizer none\.json cannot be read"),
        ({"text_as": "tokens", "max_features": 3}, "max_features=3 is of tf-idf; tokens have max_length=512"),
        ({"text_as": "tf-idf", "tokenizer": "x"}, "has words of its own; leave out tokenizer='x'"),
    ],
)
def test_bad_arguments_leave_nothing_behind(folder, tmp_path, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        load("text", tmp_path, **{"dir": folder, **options})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_is_no_tokenizer_is_refused(folder, tmp_path):
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(ValueError, match=r"t\.json is no tokenizer\.json of the tokenizers library"):
        load("text", tmp_path / "cache", dir=folder, tokenizer=str(tmp_path / "t.json"))


def test_stored_intakes_that_are_none_are_refused():
    made = intake.Pixels(Columns(("path",), ("labels",), images=True), 8)
    assert intake.from_json(json.loads(json.dumps(intake.to_json(made)))) == made
    for stored in ({}, {"kind": "x", "columns": {}}, {**intake.to_json(made), "extra": 1}):
        with pytest.raises(ValueError, match="not how raw examples become features"):
            intake.from_json(stored)
