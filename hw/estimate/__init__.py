"""Resources before synthesis: block RAMs and multipliers exact, logic estimated part by part."""

from darb.hw.estimate.resource_estimate import Part, ResourceEstimate, estimate_resources

__all__ = ["Part", "ResourceEstimate", "estimate_resources"]
