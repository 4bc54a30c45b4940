"""The histogram of latencies against exact numpy, and what it refuses."""

import math

import numpy as np
import pytest
from latencies import DISTRIBUTIONS, LARGEST, SMALLEST_NORMAL, drawn, filled

from lens_core.sketch import CHUNK, Resolution, Sketch, count_bins
from lens_core.sketch_jit import count_compiled

ROUNDING = 1 + 1e-12
QUANTILES = (0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0)
SIZES = (1, 2, 10, 1000, 100_000)
BAD = (math.nan, -math.nan, math.inf, -math.inf, -1e-9, -5e-324, -1.0)
BAD_NAMES = ("nan", "-nan", "inf", "-inf", "-1e-9", "-5e-324", "-1")


@pytest.mark.parametrize("resolution", list(Resolution))
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_quantile_is_within_the_stated_error(name, resolution):
    """Whatever the distribution and size, no quantile is further from numpy's than ``relative_error``."""
    for size in SIZES:
        values = drawn(name, size)
        made = filled(values, resolution)
        exact = np.quantile(values, QUANTILES)
        assert (np.abs(made.quantiles(QUANTILES) - exact) <= exact * made.relative_error * ROUNDING).all(), size
        assert made.count == size


def test_the_stated_errors_are_those_of_the_documentation():
    """The error is at most .39 % by default and .05 % at the finer setting."""
    assert Sketch().relative_error == 1 / 257 <= 0.0039
    assert Sketch(Resolution.FINE).relative_error == 1 / 2049 <= 0.0005


@pytest.mark.parametrize("resolution", list(Resolution))
def test_the_stated_error_is_reached(resolution):
    """The bound is the least possible: the lower edge of an octave is as far off as it says."""
    assert filled([1.0], resolution).quantile(0.5) - 1.0 == pytest.approx(resolution.relative_error, rel=1e-9)


@pytest.mark.parametrize("bad", BAD, ids=BAD_NAMES)
def test_a_bad_sample_is_refused(bad):
    """NaN, infinite and negative samples raise ValueError one by one, and leave nothing behind."""
    made = filled([1.0])
    with pytest.raises(ValueError, match="finite and not negative"):
        made.add(bad)
    assert made == filled([1.0])


@pytest.mark.parametrize("resolution", list(Resolution))
@pytest.mark.parametrize("place", [0, CHUNK + 1, 150_000, -1])
@pytest.mark.parametrize("bad", BAD, ids=BAD_NAMES)
def test_an_array_with_a_bad_sample_is_refused_whole(bad, place, resolution):
    """One bad sample anywhere in an array raises ValueError naming it, and nothing of it is taken in."""
    values = drawn("lognormal", 200_000)
    values[place] = bad
    made = Sketch(resolution)
    with pytest.raises(ValueError, match=f"finite and not negative, saw {np.float64(bad)}"):
        made.add_many(values)
    assert made.count == 0


@pytest.mark.parametrize("bad", BAD, ids=BAD_NAMES)
def test_counted_values_with_a_bad_one_are_refused_whole(bad):
    """A bad value among counted ones raises ValueError, and those before it are not taken in."""
    made = Sketch()
    with pytest.raises(ValueError, match="neither negative"):
        made.add_counted([1.0, bad], [3, 1])
    assert made.count == 0


@pytest.mark.parametrize("count", [-1, 1 << 54])
def test_a_count_that_cannot_be_is_refused(count):
    """Negative counts, and counts that floats cannot tell apart, raise ValueError."""
    made = Sketch()
    with pytest.raises(ValueError, match="count"):
        made.add_counted([1.0, 2.0], [3, count])
    assert made.count == 0


def test_counted_values_need_a_count_each():
    """A value without a count raises ValueError, and nothing is taken in."""
    made = Sketch()
    with pytest.raises(ValueError, match="shorter"):
        made.add_counted([1.0, 2.0], [3])
    assert made.count == 0


def test_counted_values_are_as_many_samples():
    """A value with a count is that many samples of it, and none for a count of zero."""
    made = Sketch()
    made.add_counted([2.0, 900.0, 0.001, 5.0], [3, 0, 2, 1])
    assert made == filled([2.0, 2.0, 2.0, 0.001, 0.001, 5.0])


@pytest.mark.parametrize("zero", [0.0, -0.0, 5e-324, SMALLEST_NORMAL / 2])
def test_what_is_too_small_is_zero(zero):
    """Zero of either sign and subnormal values come back as exactly zero, singly and in arrays."""
    single = Sketch()
    single.add(zero)
    counted = Sketch()
    counted.add_counted([zero], [1])
    assert single.quantile(0.5) == counted.quantile(0.5) == 0.0
    assert filled([zero, 0.0, 1.0]).quantile(0.5) == 0.0
    assert math.copysign(1.0, filled([zero]).quantile(1.0)) == 1.0


def test_negative_zero_in_a_long_array_is_zero():
    """A -0.0 in the second chunk is counted as zero, and the rest of its chunk as it is."""
    values = drawn("lognormal", 2 * CHUNK)
    values[CHUNK + 5] = -0.0
    made = filled(values)
    values[CHUNK + 5] = 0.0
    assert made == filled(values)
    assert made.quantile(0.0) == 0.0


@pytest.mark.parametrize("resolution", list(Resolution))
def test_the_largest_numbers_do_not_overflow(resolution):
    """The largest and the smallest normal number come back finite and within the error."""
    made = filled([SMALLEST_NORMAL, LARGEST], resolution)
    assert made.quantile(0.0) == pytest.approx(SMALLEST_NORMAL, rel=made.relative_error)
    assert made.quantile(1.0) == pytest.approx(LARGEST, rel=made.relative_error)


def test_nothing_has_no_quantile():
    """An empty sketch answers None, not zero."""
    made = Sketch()
    made.add_many([])
    made.add_counted([1.0], [0])
    assert made.count == 0
    assert made.quantile(0.5) is None
    assert made.quantiles((0.5, 0.9)) is None
    assert made.values()[0].size == 0
    assert Sketch.merged([made, Sketch()]).quantile(0.5) is None


@pytest.mark.parametrize("p", [-0.001, 1.001, math.nan, math.inf])
def test_a_quantile_outside_of_zero_to_one_is_refused(p):
    """A p outside of 0 to 1, or NaN, raises ValueError, even of an empty sketch."""
    for made in (Sketch(), filled([1.0, 2.0])):
        with pytest.raises(ValueError, match="from 0 to 1"):
            made.quantile(p)


@pytest.mark.parametrize("size", [1, 4095, 4096, 10_000])
def test_one_by_one_is_the_same_as_at_once(size):
    """Samples added singly, across the buffer's length or not, make the same sketch as their array."""
    values = drawn("slow path", size)
    made = Sketch()
    for value in values.tolist():
        made.add(value)
    assert made.count == size
    assert made == filled(values)
    assert made.count == size


def test_any_order_shape_and_type_of_numbers():
    """Lists, integers, two dimensions and strided views are taken in like a plain array."""
    values = np.arange(1.0, 101.0)
    expected = filled(values)
    assert filled(values[::-1]) == filled(values.reshape(10, 10).T) == filled(np.repeat(values, 2)[::2]) == expected
    assert filled(list(range(1, 101))) == expected


def test_the_array_is_left_as_it_was():
    """Taking in an array does not change it."""
    values = np.array([3.0, -0.0, 1.0])
    filled(values)
    assert values.tolist() == [3.0, 0.0, 1.0]
    assert np.signbit(values[1])


def test_resolutions_do_not_mix():
    """A merge of different resolutions raises ValueError, and they are never equal."""
    fine = filled([1.0], Resolution.FINE)
    with pytest.raises(ValueError, match="STANDARD resolution, saw FINE"):
        filled([1.0]).merge(fine)
    assert fine != filled([1.0])
    assert fine != "a sketch"


def test_a_merge_leaves_the_other_as_it_was():
    """The merged sketch is unchanged, also by what is added to the first one later."""
    other, made = filled([1.0, 8.0]), Sketch()
    made.merge(other)
    made.add(1.0)
    made.merge(made)
    assert other == filled([1.0, 8.0])
    assert made == filled([1.0, 8.0, 1.0] * 2)


def test_values_are_the_representatives_of_what_was_seen():
    """Each filled bin appears once, ascending, with its count, and within the error of its samples."""
    made = filled([100.0, 1.0, 100.0, 0.0])
    values, counts = made.values()
    assert counts.tolist() == [1, 1, 2]
    assert values == pytest.approx([0.0, 1.0, 100.0], rel=made.relative_error)


def outliers(place):
    """A million usual samples with the extremes of floats at ``place``."""
    values = drawn("lognormal", 1_000_000)
    values[place : place + 4] = (LARGEST, 0.0, SMALLEST_NORMAL, -0.0)
    return values


COUNTED = {
    "lognormal": lambda: drawn("lognormal", 1_000_003),
    "with zeros": lambda: drawn("with zeros", 300_001),
    "huge range": lambda: drawn("huge range", 300_002),
    "constant": lambda: drawn("constant", 300_000),
    "outliers first": lambda: outliers(0),
    "outliers inside": lambda: outliers(500_001),
    "outliers last": lambda: outliers(999_996),
    "too few to compile for": lambda: drawn("lognormal", 1000),
    "sorted": lambda: np.sort(drawn("pareto", 400_001)),
}


@pytest.mark.parametrize("resolution", list(Resolution))
@pytest.mark.parametrize("name", COUNTED)
def test_compiled_counts_are_numpys_counts(name, resolution):
    """The compiled kernel counts every bin exactly as numpy does, wherever outliers stand."""
    values = COUNTED[name]()
    plain, compiled = Sketch(resolution), Sketch(resolution)
    plain._held.absorb(*count_bins(values, plain._shift))
    compiled._held.absorb(*count_compiled(values, plain._shift))
    assert compiled == plain
    assert compiled.count == values.size


@pytest.mark.parametrize("place", [0, 123_457, -1])
@pytest.mark.parametrize("bad", BAD, ids=BAD_NAMES)
def test_the_compiled_counter_refuses_what_numpy_does(bad, place):
    """NaN, infinite and negative samples raise the same ValueError from compiled counting."""
    values = drawn("lognormal", 400_000)
    values[place] = bad
    with pytest.raises(ValueError, match="finite and not negative"):
        count_compiled(values, 45)
