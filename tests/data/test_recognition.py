import gzip

import numpy as np
import pytest
import scenes

from sigfft.data import recognised


def test_folders_are_told_by_their_files(tmp_path):
    texts, images = scenes.write_texts(tmp_path / "texts", 5), scenes.write_images(tmp_path / "images", 3)
    assert recognised(texts) == recognised(texts / "scenes.jsonl") == recognised(texts, label_column="labels") == "text"
    assert recognised(images) == "images"
    assert recognised(images, text_columns="path") == "text"
    (texts / "train.txt.gz").write_bytes(gzip.compress(b"1 2 3\n0 0:1\n"))
    assert recognised(texts) == "xmc"  # as it was before there were raw texts
    np.save(images / "train.npy", np.zeros((1, 2)))
    assert recognised(images) == "npy"


def test_a_wrong_folder_says_what_it_holds_and_what_is_expected(tmp_path):
    with pytest.raises(
        ValueError, match=r"holds nothing; expected train\.txt and test\.txt in the XMC format; .* tables"
    ):
        recognised(tmp_path)
    for name in ("a.bin", "train.txt", "b.md"):
        (tmp_path / name).write_text("no header\n")
    (tmp_path / "sub").mkdir()
    with pytest.raises(ValueError, match=r"holds a\.bin, b\.md, sub/, train\.txt; expected "):
        recognised(tmp_path)
    with pytest.raises(ValueError, match=r"a\.bin holds a\.bin; expected"):
        recognised(tmp_path / "a.bin")
    with pytest.raises(ValueError, match="there is no folder none"):
        recognised("none")
