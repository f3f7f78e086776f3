import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from schemas.codec import Codec

SMALLEST_NORMAL = float(np.finfo(np.float16).smallest_normal)
LARGEST = float(np.finfo(np.float16).max)

numbers = arrays.arrays(np.float32, st.integers(0, 50), elements=st.floats(-LARGEST, LARGEST, width=32))


@given(numbers)
def test_the_error_is_no_larger_than_said(values):
    for codec in Codec:
        kept = codec.keep(values)
        assert kept.dtype == codec.dtype
        error = np.abs(kept.astype(np.float64) - values)
        # Below the smallest normal number the error is absolute.
        bound = codec.relative_error * np.maximum(np.abs(values).astype(np.float64), SMALLEST_NORMAL)
        assert (error <= bound).all()


@given(numbers)
def test_what_was_kept_once_is_kept_exactly(values):
    for codec in Codec:
        kept = codec.keep(values)
        np.testing.assert_array_equal(codec.keep(kept.astype(np.float32)), kept)


@given(numbers)
def test_arrow_keeps_the_bits(values):
    for codec in Codec:
        kept = codec.keep(values)
        column = pa.array(kept, codec.arrow)
        np.testing.assert_array_equal(column.to_numpy(zero_copy_only=False), kept)


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(codec, odd):
    with pytest.raises(OverflowError):
        codec.keep(np.array([1.0, odd], np.float32))


def test_what_is_too_large_for_half_precision_is_refused():
    assert Codec.F32.keep(np.array([1e30], np.float32))[0] == np.float32(1e30)
    for large in (65_520.0, -1e6):
        with pytest.raises(OverflowError, match="f16"):
            Codec.F16.keep(np.array([large], np.float32))
