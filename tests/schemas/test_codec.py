import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from schemas.codec import Codec

LARGEST = float(np.finfo(np.float16).max)
SHAPES = st.tuples(st.integers(0, 6), st.integers(1, 9))

numbers = arrays.arrays(np.float32, SHAPES, elements=st.floats(-LARGEST, LARGEST, width=32))


@given(numbers)
def test_the_error_is_no_larger_than_said(values):
    for codec in Codec:
        kept = codec.keep(values)
        assert kept.numbers.dtype == codec.dtype
        assert kept.scales.shape == ((len(values),) if codec.scales else (0,))
        error = np.abs(codec.widen(kept).astype(np.float64) - values)
        assert (error <= codec.bound(values).astype(np.float64) * (1 + 1e-6)).all()


@given(numbers)
def test_what_was_kept_once_is_kept_exactly(values):
    for codec in (Codec.F32, Codec.F16, Codec.BF16):
        once = codec.widen(codec.keep(values))
        np.testing.assert_array_equal(codec.widen(codec.keep(once)), once)


@given(numbers)
def test_bf16_rounds_as_torch_does(values):
    expected = torch.from_numpy(values).bfloat16().float().numpy()
    np.testing.assert_array_equal(Codec.BF16.widen(Codec.BF16.keep(values)), expected)


@given(numbers)
def test_the_largest_number_of_a_vector_is_within_the_steps(values):
    kept = Codec.INT8.keep(values)
    assert (np.abs(kept.numbers.astype(int)) <= 127).all()
    assert (kept.numbers[np.abs(values).max(axis=1, initial=0) == 0] == 0).all()


@given(numbers)
def test_arrow_keeps_the_bits(values):
    for codec in Codec:
        kept = codec.keep(values).numbers.ravel()
        column = pa.array(kept, codec.arrow)
        np.testing.assert_array_equal(column.to_numpy(zero_copy_only=False), kept)


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(codec, odd):
    with pytest.raises(OverflowError):
        codec.keep(np.array([[1.0, odd]], np.float32))


def test_what_is_too_large_for_half_precision_is_refused():
    for codec in (Codec.F32, Codec.BF16):
        large = np.array([[1e30]], np.float32)
        assert codec.widen(codec.keep(large)) == pytest.approx(large, rel=2**-8)
    for large in (65_520.0, -1e6):
        with pytest.raises(OverflowError, match="f16"):
            Codec.F16.keep(np.array([[large]], np.float32))
    with pytest.raises(OverflowError, match="int8"):
        Codec.INT8.keep(np.array([[1e30]], np.float32))
