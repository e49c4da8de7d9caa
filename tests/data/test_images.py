import numpy as np
import pytest
import scenes
from PIL import Image

from sigfft.data import intake, load


@pytest.fixture
def folder(tmp_path):
    return scenes.write_images(tmp_path / "images", 12)


def test_pixels_and_labels_of_each_split(folder, tmp_path):
    splits = load("auto", tmp_path / "cache", dir=folder, image_size=8)
    assert {name: len(own) for name, own in splits.items()} == {"train": 8, "test": 4}
    test = splits["test"]
    assert (test.n_features, test.feature_dim, test.origin.names) == (None, None, tuple(sorted(scenes.LABELS)))
    batch = test.gather(np.array([0, 4]))
    assert batch["image"].dtype == np.uint8
    picture = Image.open(folder / "pictures" / "0.png").resize((8, 8), Image.Resampling.BICUBIC, box=(4, 0, 20, 16))
    np.testing.assert_array_equal(batch["image"], [np.asarray(picture), np.zeros((8, 8, 3))])
    wanted = next(own for *_, own in scenes.scenes(12))
    assert [test.origin.names[i] for i in test.labels[0] if i < test.n_labels] == wanted
    assert test.origin.about == "images from path; 7 labels from labels; 8 train; 4 test"


def test_images_that_do_not_decode_are_named_and_counted(folder, tmp_path):
    whole = (folder / "pictures" / "5.jpg").read_bytes()
    (folder / "pictures" / "5.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "pictures" / "8.png").write_text("no image")
    (folder / "pictures" / "2.png").unlink()
    hint = "3 of 12 examples cannot be read; mend them, or leave them out with data.skip_malformed=True"
    with pytest.raises(ValueError, match=rf"train\.csv:3: the image \S*5\.jpg does not decode: [^\n]*; {hint}"):
        load("images", tmp_path / "cache", dir=folder)
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
    splits = load("images", tmp_path / "cache", dir=folder, skip_malformed=True)
    assert {name: len(own) for name, own in splits.items()} == {"train": 6, "test": 3}
    assert "3 malformed rows skipped, the first " in splits["train"].origin.about
    (folder / "pictures" / "8.png").write_bytes((folder / "pictures" / "0.png").read_bytes())
    assert len(load("images", tmp_path / "cache", dir=folder, skip_malformed=True)["train"]) == 7


def test_other_modes_and_turned_images(tmp_path):
    made = intake.Pixels(intake.Columns(("path",), ("labels",), images=True), 4)
    Image.new("L", (8, 4), 100).save(tmp_path / "grey.png")
    turned = Image.new("RGB", (4, 8), "red")
    turned.paste("blue", (0, 4, 4, 8))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned.save(tmp_path / "turned.png", exif=exif)
    Image.new("RGB", (4, 4)).save(tmp_path / "other.gif")
    grey, upright, other = made.load(["grey.png", "turned.png", "other.gif"], tmp_path)
    assert (grey == 100).all()
    deep = 257 * np.arange(0, 160, 10, dtype=np.uint16).reshape(4, 4)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    (sixteen_bits,) = made.load(["deep.png"], tmp_path)
    np.testing.assert_array_equal(sixteen_bits, np.repeat((deep >> 8)[:, :, None], 3, axis=2))
    assert upright[0, 0].tolist() == [0, 0, 255]
    assert str(other).endswith("other.gif does not decode: it is no JPEG and no PNG")


def test_bad_arguments(folder, tmp_path):
    for options, complaint in [
        ({"image_size": 0}, "image_size=0 must be at least 1 pixel"),
        ({"image_column": "file"}, "has no column 'file'; its columns are path, labels"),
    ]:
        with pytest.raises(ValueError, match=complaint):
            load("images", tmp_path / "cache", dir=folder, **options)
    texts = scenes.write_texts(tmp_path / "texts")
    with pytest.raises(
        ValueError, match=r"no column of .* names images; give data\.image_column, or data\.source=text"
    ):
        load("images", tmp_path / "cache", dir=texts)
