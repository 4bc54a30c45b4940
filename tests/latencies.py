"""Samples of latency-like and of awkward distributions, and the sketch of some samples."""

import numpy as np

from lens_core.sketch import Resolution, Sketch

SMALLEST_NORMAL = 2.0**-1022
LARGEST = float(np.finfo(np.float64).max)
DISTRIBUTIONS = {
    "lognormal": lambda rng, n: rng.lognormal(3.0, 0.8, n),
    "exponential": lambda rng, n: rng.exponential(20.0, n),
    "pareto": lambda rng, n: 5.0 * (1.0 + rng.pareto(2.2, n)),
    "weibull": lambda rng, n: 10.0 * rng.weibull(0.6, n),
    "uniform": lambda rng, n: rng.uniform(0.0, 50.0, n),
    "slow path": lambda rng, n: rng.lognormal(2.0, 0.3, n) * np.where(rng.random(n) < 0.025, 6.0, 1.0),
    "constant": lambda _rng, n: np.full(n, 12.75),
    "with zeros": lambda rng, n: np.where(rng.random(n) < 0.3, 0.0, rng.exponential(3.0, n)),
    "tiny": lambda rng, n: SMALLEST_NORMAL * (1.0 + rng.exponential(1.0, n)),
    "huge range": lambda rng, n: 10.0 ** rng.uniform(-300.0, 300.0, n),
    "up to the largest": lambda rng, n: LARGEST * rng.uniform(0.4, 1.0, n),
}


def drawn(name, size, seed=11):
    """``size`` samples of a distribution."""
    return DISTRIBUTIONS[name](np.random.default_rng(seed), size)


def filled(values, resolution=Resolution.STANDARD):
    """A sketch of ``values``."""
    made = Sketch(resolution)
    made.add_many(values)
    return made
