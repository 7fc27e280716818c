"""A straight line through points."""

from collections.abc import Sequence
from statistics import fmean


def line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Least squares: intercept and slope."""
    mean_x, mean_y = fmean(x for x, _ in points), fmean(y for _, y in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    return mean_y - slope * mean_x, slope
