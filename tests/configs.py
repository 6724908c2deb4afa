"""Engine configurations for component tests."""

from darb.golden import EngineConfig


def small_config(**fields: object) -> EngineConfig:
    """Return a config of four lanes and two rows, `fields` replaced."""
    defaults = {
        "lanes": 4,
        "rows": 2,
        "accumulator_bits": 24,
        "weight_depth": 64,
        "index_depth": 16,
        "row_depth": 32,
        "layer_depth": 8,
        "input_depth": 12,
        "hidden_depth": 20,
        "output_depth": 10,
    }
    return EngineConfig(**{**defaults, **fields})
