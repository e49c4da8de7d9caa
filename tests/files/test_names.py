import json

import pytest

from sigfft.files.names import find_names, read_names


def test_lines_in_the_order_of_ids(tmp_path):
    assert find_names(tmp_path).in_order(2) is None
    (tmp_path / "labels.txt").write_text("17\n4\n")
    assert find_names(tmp_path).in_order(2) == ("17", "4")
    assert find_names(tmp_path).in_order(3) is None
    (tmp_path / "tree.json").write_text(json.dumps({"4": {"name": "dog", "parent": 1}, "17": {"name": "cat"}}))
    assert find_names(tmp_path).in_order(2) == ("cat", "dog")
    (tmp_path / "label_names.txt").write_text("Katze\r\nHund")
    names = find_names(tmp_path)
    assert names.in_order(2) == ("Katze", "Hund")
    assert names.in_order(3) is None
    assert [path.name for path in names.files] == ["labels.txt", "label_names.txt", "tree.json"]


@pytest.mark.parametrize(
    "content", [["a", "b"], {"0": "a", "1": "b"}, {"b": 1, "a": 0}, {"1": {"name": "b"}, "0": {"name": "a"}}]
)
def test_json_in_four_forms(tmp_path, content):
    (tmp_path / "subjects.json").write_text(json.dumps(content))
    assert find_names(tmp_path, "subjects").in_order(2) == ("a", "b")


def test_a_json_file_of_something_else(tmp_path):
    (tmp_path / "info.json").write_text('{"version": 2.5}')
    assert find_names(tmp_path).files == ()
    (tmp_path / "names.json").write_text('{"version": 2.5}')
    with pytest.raises(ValueError, match=r"names\.json must hold a list of names, names by label, or ids by name"):
        find_names(tmp_path)


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe\n")
    with pytest.raises(ValueError, match=r"labels\.txt is no text in UTF-8"):
        read_names(tmp_path / "labels.txt")
