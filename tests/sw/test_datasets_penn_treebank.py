"""Penn Treebank: its vocabulary, its word numbers, and files that are refused."""

import re

import numpy as np
import pytest

from darb.sw.datasets import penn_treebank

TEXTS = {
    "ptb.train.txt": " a cat saw the dog \n the dog saw <unk> \n\n",
    "ptb.valid.txt": " the cat \n",
    "ptb.test.txt": "dog\n a <unk>",
}


def write_ptb(folder, **changed):
    for name, text in TEXTS.items():
        (folder / name).write_text(changed.get(name.split(".")[1], text))


def test_words_are_numbered_by_how_often_they_are_in_the_training_part(tmp_path):
    write_ptb(tmp_path)
    data = penn_treebank(tmp_path)
    assert data.vocabulary == ("<eos>", "dog", "saw", "the", "<unk>", "a", "cat")
    assert data.train.tolist() == [5, 6, 2, 3, 1, 0, 3, 1, 2, 4, 0]
    assert data.validation.tolist() == [3, 6, 0]
    assert data.test.tolist() == [1, 0, 5, 4, 0]
    assert {part.dtype for part in (data.train, data.validation, data.test)} == {np.dtype(np.int64)}


@pytest.mark.parametrize("name", TEXTS)
def test_missing_file_is_named(tmp_path, name):
    write_ptb(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(f'{tmp_path} must hold {name}')}$"):
        penn_treebank(tmp_path)


@pytest.mark.parametrize(
    ("part", "text", "rule"),
    [
        ("valid", "the bird\n", "words must be among the 7 of ptb.train.txt, not 'bird'"),
        ("train", "\n", "must hold at least one sentence, not 1 bytes"),
        ("test", "", "must hold at least one sentence, not 0 bytes"),
        ("test", "a\nb <eos>\n", "line 2: ends of sentences must be ends of lines, not '<eos>'"),
    ],
)
def test_bad_file_is_named_with_its_rule(tmp_path, part, text, rule):
    write_ptb(tmp_path, **{part: text})
    path = tmp_path / f"ptb.{part}.txt"
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {rule}')}$"):
        penn_treebank(tmp_path)


def test_text_that_is_no_utf8_is_named(tmp_path):
    write_ptb(tmp_path)
    path = tmp_path / "ptb.test.txt"
    path.write_bytes(b"a \xff\n")
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: must be UTF-8 text (')}"):
        penn_treebank(tmp_path)


def test_directory_is_a_path():
    with pytest.raises(TypeError, match=r"^directory must be a path, not None$"):
        penn_treebank(None)
