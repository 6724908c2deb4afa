"""The contract in NumPy: number formats, row patterns, the packed image, the exact engine model.

Everything here computes with integers alone and imports NumPy and the standard library only.
"""

from darb.golden.config import EngineConfig, OutputMode
from darb.golden.engine_model import EngineModel
from darb.golden.image import Image, ImageError
from darb.golden.image_file import read_image, read_vectors, write_image
from darb.golden.loading import loading_writes
from darb.golden.memory_check import check_clocks, check_requests, memory_crcs
from darb.golden.network import IntegerLayer, IntegerNetwork
from darb.golden.packer import fit_config, pack
from darb.golden.packing import PatternMisfitError
from darb.golden.pattern import Pattern, Segments
from darb.golden.register_map import Storage
from darb.golden.repacking import repack
from darb.golden.timeline import schedule, steady_interval, timeline
from darb.golden.unpacker import unpack

__all__ = [
    "EngineConfig",
    "EngineModel",
    "Image",
    "ImageError",
    "IntegerLayer",
    "IntegerNetwork",
    "OutputMode",
    "Pattern",
    "PatternMisfitError",
    "Segments",
    "Storage",
    "check_clocks",
    "check_requests",
    "fit_config",
    "loading_writes",
    "memory_crcs",
    "pack",
    "read_image",
    "read_vectors",
    "repack",
    "schedule",
    "steady_interval",
    "timeline",
    "unpack",
    "write_image",
]
