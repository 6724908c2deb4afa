"""Random integer networks and the plain arithmetic that they must agree with."""

from darb.golden.random_network import random_network, random_vectors
from darb.golden.reference import reference

__all__ = ["random_network", "random_vectors", "reference"]
