"""What is changed in DARB, one thing at a time, to see what it brings."""

from __future__ import annotations

from collections.abc import Iterator

from reference_grid import METHODS, SEEDS, SUBJECTS, Run

CHANGES: dict[str, tuple[str, dict, dict]] = {
    "order-natural": ("natural column order, every column stored", {"order": "natural"}, {}),
    "order-spread": ("random column order", {"order": "spread"}, {}),
    "all-columns": ("no column left out", {"left_out": 0.0}, {}),
    "columns-searched": ("columns left out by search", {"left_out": "searched"}, {}),
    "blocks-64": ("blocks of at most 64 columns", {"max_k": 6}, {}),
    "saliency-magnitude": ("saliency by magnitude", {"saliency": "magnitude"}, {}),
    "saliency-fisher": ("saliency by the Fisher information", {"saliency": "fisher"}, {}),
    "assignment-density": (
        "row block sizes by density, as published",
        {"assignment": "density"},
        {},
    ),
    "assignment-sensitivity": (
        "row block sizes by the loss's sensitivity to the row",
        {"assignment": "sensitivity"},
        {},
    ),
    "budget-uniform": ("every layer has the same ratio", {"budget": "uniform"}, {}),
    "budget-joint": (
        "layers compete by Fisher saliency as measured",
        {"budget": "joint", "saliency": "fisher"},
        {},
    ),
    "budget-searched": ("layer shares searched", {"budget": "searched"}, {}),
    "regrow": ("masks may move after the ramp, a quarter of the epochs", {}, {"regrow": 0.25}),
    "keep-2": ("up to 2 weights a block", {"max_keep": 2}, {}),
    "admm": ("half the epochs ADMM, then pruned at once, instead of the ramp", {}, {"admm": 0.5}),
    "no-teacher": ("without the dense network as a teacher", {}, {"distilled": False}),
    "rewound-half": (
        "learning rate rewound to the middle of a schedule twice as long",
        {},
        {"schedule": 2.0},
    ),
    "quantized": ("quantisation-aware retraining", {}, {"quantized": True}),
}
"""By name: what the table says, what changes in `PruneConfig`, what changes in training."""


def ablations(name: str) -> Iterator[Run]:
    """Return the runs of a subject's ablations; each is DARB with one thing changed."""
    subject = SUBJECTS[name]
    for seed in SEEDS:
        for change in subject.ablations:
            _, settings, training = CHANGES[change]
            for ratio in subject.ablation_ratios:
                yield Run(
                    subject=name,
                    row=f"darb+{change}",
                    ratio=ratio,
                    seed=seed,
                    settings={**METHODS["darb"], **settings},
                    training=training,
                )
