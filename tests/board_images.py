"""Networks and their images for a board of storage `ram`, all of one config."""

from __future__ import annotations

import numpy as np
from random_networks import random_network

from darb.golden import EngineConfig, Image, IntegerNetwork, fit_config, pack


def board_images(seed: int) -> tuple[EngineConfig, list[tuple[IntegerNetwork, Image]]]:
    """Return two networks of other shapes and their images, all of one config."""
    rng = np.random.default_rng(seed)
    networks = [
        random_network(rng, sizes, keeps=(1, 2), ks=range(4), lanes=2, weight_bits=4)
        for sizes in ([9, 5, 3], [6, 4, 4])
    ]
    room = {"weight_depth": 32, "index_depth": 16, "row_depth": 16, "layer_depth": 16}
    room |= {"input_depth": 6, "hidden_depth": 4, "output_depth": 5, "max_k": 3}
    fields = {"lanes": 2, "rows": 1, "accumulator_bits": 24, **room}
    images = [(network, pack(network, fit_config(network, **fields))) for network in networks]
    (config,) = {image.config for _, image in images}
    return config, images
