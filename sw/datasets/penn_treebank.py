"""Penn Treebank as streams of word numbers."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darb.sw.datasets.files import checked_path, file_of

END_OF_SENTENCE = "<eos>"


@dataclass(frozen=True, kw_only=True, eq=False)
class PennTreebank:
    """A text in three parts, each word its number in the vocabulary.

    Parameters
    ----------
    train, validation, test : ndarray of int64, shape (T,)
        In 0..len(vocabulary) - 1.
    vocabulary : tuple of str
        Words of the training part, the most frequent first and equally frequent ones by their
        characters; ``<eos>``, which ends each sentence, is one of them.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    vocabulary: tuple[str, ...]


def penn_treebank(directory: str | os.PathLike[str]) -> PennTreebank:
    """Read the Penn Treebank as Mikolov et al. prepared it, one sentence a line.

    Parameters
    ----------
    directory : path
        Holds ``ptb.train.txt``, ``ptb.valid.txt`` and ``ptb.test.txt``.

    Raises
    ------
    TypeError
        If `directory` is no path.
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is empty or no UTF-8, marks ends of sentences itself, or has a word that the
        training part has not.
    """
    folder = checked_path("directory", directory)
    paths = [file_of(folder, f"ptb.{part}.txt") for part in ("train", "valid", "test")]
    texts = [_read_words(path) for path in paths]
    counts = Counter(texts[0])
    vocabulary = tuple(sorted(counts, key=lambda word: (-counts[word], word)))
    numbers = {word: number for number, word in enumerate(vocabulary)}
    for path, words in zip(paths, texts, strict=True):
        for word in words:
            if word not in numbers:
                raise ValueError(
                    f"{path}: words must be among the {len(vocabulary)} of {paths[0].name}, "
                    f"not {word!r}"
                )
    train, validation, test = (
        np.array([numbers[word] for word in words], dtype=np.int64) for words in texts
    )
    return PennTreebank(train=train, validation=validation, test=test, vocabulary=vocabulary)


def _read_words(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: must be UTF-8 text ({error})") from error
    words: list[str] = []
    for number, line in enumerate(lines, start=1):
        sentence = line.split()
        if END_OF_SENTENCE in sentence:
            raise ValueError(
                f"{path}: line {number}: ends of sentences must be ends of lines, "
                f"not {END_OF_SENTENCE!r}"
            )
        if sentence:
            words += [*sentence, END_OF_SENTENCE]
    if not words:
        raise ValueError(
            f"{path}: must hold at least one sentence, not {path.stat().st_size!r} bytes"
        )
    return words
