"""Laws of the histogram: merging is adding, every quantile keeps its bound, bytes lose nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from latencies import SMALLEST_NORMAL, filled

from lens_core.sketch import Resolution, Sketch

ROUNDING = 1 + 1e-12

normal = st.floats(SMALLEST_NORMAL, allow_nan=False, allow_infinity=False)
latencies = st.just(0.0) | st.floats(1e-3, 1e5) | normal
samples = st.lists(latencies, max_size=60)
some = st.lists(latencies, min_size=1, max_size=60)
resolutions = st.sampled_from(Resolution)
quantiles = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def joined(*sketches):
    """A sketch of everything that ``sketches`` hold, one merged into the next."""
    made = Sketch(sketches[0].resolution)
    for sketch in sketches:
        made.merge(sketch)
    return made


@given(st.lists(samples, max_size=6), resolutions)
def test_merged_parts_are_the_sketch_of_all(parts, resolution):
    """Merging the sketches of parts gives exactly the sketch of all samples."""
    whole = [value for part in parts for value in part]
    merged = Sketch.merged([filled(part, resolution) for part in parts], resolution)
    assert merged == filled(whole, resolution)
    assert merged.count == len(whole)


@given(samples, samples, samples, resolutions)
def test_merging_knows_no_order(one, two, three, resolution):
    """A merge is commutative and associative, to the byte."""
    a, b, c = (filled(values, resolution) for values in (one, two, three))
    assert joined(a, b) == joined(b, a)
    assert joined(joined(a, b), c) == joined(a, joined(b, c))


@given(some, quantiles, resolutions)
def test_every_quantile_keeps_its_bound(values, ps, resolution):
    """No quantile at any p is further from numpy's than the stated relative error."""
    made = filled(values, resolution)
    with np.errstate(over="ignore"):
        exact = np.quantile(values, ps)
    assert (np.abs(made.quantiles(ps) - exact) <= exact * made.relative_error * ROUNDING).all()


@given(some, quantiles, resolutions)
def test_quantiles_rise_with_p(values, ps, resolution):
    """A larger p never gives a smaller quantile."""
    ascending = filled(values, resolution).quantiles(sorted(ps))
    assert (np.diff(ascending) >= 0).all()


@given(st.lists(st.floats(1e-100, 1e100), min_size=1, max_size=60), quantiles, st.integers(-600, 600), resolutions)
def test_scaling_by_a_power_of_two_scales_quantiles(values, ps, exponent, resolution):
    """Latencies in a unit 2ⁿ times as large have quantiles 2ⁿ times as large, exactly."""
    scaled = filled(np.ldexp(values, exponent), resolution).quantiles(ps)
    assert scaled.tolist() == np.ldexp(filled(values, resolution).quantiles(ps), exponent).tolist()


@given(samples, resolutions)
def test_bytes_lose_nothing(values, resolution):
    """What is read from bytes equals what was written, counts and resolution included."""
    made = filled(values, resolution)
    read = Sketch.from_bytes(made.to_bytes())
    assert read == made
    assert (read.count, read.resolution) == (len(values), resolution)
    assert [part.tolist() for part in read.values()] == [part.tolist() for part in made.values()]


@given(samples, samples)
def test_equal_bytes_are_equal_counts(one, two):
    """Two sketches have the same bytes exactly when each bin was seen equally often."""
    a, b = filled(one), filled(two)
    same = [part.tolist() for part in a.values()] == [part.tolist() for part in b.values()]
    assert (a.to_bytes() == b.to_bytes()) == same


@given(samples, st.lists(st.tuples(latencies, st.integers(0, 5)), max_size=20))
def test_every_way_in_counts_alike(values, counted):
    """Samples taken in singly, at once or with counts make the same sketch, and none is lost."""
    repeated = [value for value, count in counted for _ in range(count)]
    made = Sketch()
    for value in values:
        made.add(value)
    made.add_counted([value for value, _ in counted], [count for _, count in counted])
    assert made.count == len(values) + len(repeated)
    assert made == filled(values + repeated)
