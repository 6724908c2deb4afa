"""What decoding efficiency can mean: figures of one engine on one layer, more is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def _weights_a_clock(result: dict) -> float:
    layer = result["layers"][0]
    return layer["weights"] / layer["interval"]


def _weights_a_second(result: dict) -> float:
    return 1e6 * result["area"]["clock_mhz"] * _weights_a_clock(result)


def _layers_a_second(result: dict) -> float:
    return 1e6 * result["area"]["clock_mhz"] / result["layers"][0]["interval"]


def _decoder_luts(result: dict) -> int:
    return result["area"]["decoder"]["LUT"]


def _engine_luts(result: dict) -> int:
    return result["area"]["used"]["LUT"]


def _stored_bits(result: dict) -> int:
    return sum(result["layers"][0]["storage"].values())


def _position_bits(result: dict) -> int:
    return _stored_bits(result) - result["layers"][0]["storage"]["values"]


DEFINITIONS: Mapping[str, Callable[[dict], float]] = {
    "useful weights a clock": _weights_a_clock,
    "useful weights a second": _weights_a_second,
    "useful weights a clock and decoder LUT": lambda r: _weights_a_clock(r) / _decoder_luts(r),
    "useful weights a second and decoder LUT": lambda r: _weights_a_second(r) / _decoder_luts(r),
    "useful weights a second and engine LUT": lambda r: _weights_a_second(r) / _engine_luts(r),
    "useful weights a stored bit": lambda r: r["layers"][0]["weights"] / _stored_bits(r),
    "useful weights a bit that is no weight": lambda r: (
        r["layers"][0]["weights"] / max(1, _position_bits(r))
    ),
    "layers a clock": lambda r: 1 / r["layers"][0]["interval"],
    "layers a second": _layers_a_second,
    "layers a second and decoder LUT": lambda r: _layers_a_second(r) / _decoder_luts(r),
    "layers a second and engine LUT": lambda r: _layers_a_second(r) / _engine_luts(r),
}
"""By what the table calls them. A layer counts as one whatever it was pruned to."""
