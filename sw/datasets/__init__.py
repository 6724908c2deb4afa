"""Data of the demo and of the reference runs: bundled, or from the usual files of each."""

from darb.sw.datasets.cifar10 import cifar10
from darb.sw.datasets.dataset import Dataset
from darb.sw.datasets.digits import digits
from darb.sw.datasets.idx import read_idx
from darb.sw.datasets.mnist import fashion_mnist, mnist
from darb.sw.datasets.penn_treebank import PennTreebank, penn_treebank
from darb.sw.datasets.spoken_digits import spoken_digits

__all__ = [
    "Dataset",
    "PennTreebank",
    "cifar10",
    "digits",
    "fashion_mnist",
    "mnist",
    "penn_treebank",
    "read_idx",
    "spoken_digits",
]
