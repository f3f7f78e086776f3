"""What a group keeps of a row, beside the largest error that it says this can make."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.affine import Affine
from schemas.answers import Answers
from schemas.codec import Codec
from schemas.signal import Family, Signal, hidden, masked_logits, relation

WIDTH, LAYERS = 6, (1, 2)
CODED = [family for family in Family if not family.exact]


def answers_of(family: Family, codec: Codec, generator: np.random.Generator) -> Answers:
    affine = None
    if codec.scales and family in (Family.HIDDEN, Family.ATTENTION_INPUT):
        affine = Affine.of([generator.normal(3, 5, (40, WIDTH)).astype(np.float32) for _ in LAYERS])
    return Answers("teacher", family, LAYERS, WIDTH, codec, affine)


@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize("family", CODED)
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 9), size=st.sampled_from([1e-3, 1.0, 30.0]))
def test_what_is_kept_is_within_the_bound_and_the_bound_is_not_idle(family, codec, seed, length, size):
    generator = np.random.default_rng(seed)
    answers = answers_of(family, codec, generator)
    numbers = int(answers.size(np.array([length]))[0])
    layers = [generator.normal(0, size, numbers).astype(np.float32) for _ in LAYERS]
    kept, error = answers.keep(layers, length)
    values = np.stack(layers).reshape(-1, answers.vector(length))
    missed = np.abs(answers.widen(kept, length) - values)
    bound = np.broadcast_to(answers.bound(values), values.shape)
    # The sums of float32 that move and move back have a last bit of their own.
    assert (missed <= bound * 1.001 + 1e-5 * max(size, 1.0)).all()
    assert error.largest == pytest.approx(missed.max(), abs=1e-6)
    if numbers >= 100 and codec is not Codec.F32:
        assert missed.max() > bound.max() / 16


@pytest.mark.parametrize("family", Family)
def test_sizes_and_names_are_of_the_signals(family):
    layers = LAYERS if "layers" in family.axes else ()
    answers = Answers("large", family, layers, 7, Codec.F32)
    assert Answers.of(answers.settings()) == answers
    assert answers.name.startswith(f"large.{family.value}")
    lengths = np.array([1, 4])
    per_row = {"row": [7, 7], "token": [7, 28], "masked": [7, 28], "pair": [7, 112], "nowhere": [0, 0]}
    assert answers.size(lengths).tolist() == per_row[family.at]


def test_numbers_of_signals_and_widths_of_groups_say_the_same():
    for signal in (masked_logits(top=5), relation(2, "key", 12)):
        assert signal.width is not None
        assert Signal.of(signal.family, signal.layer, signal.width) == signal
        group = Answers("large", signal.family, () if signal.layer is None else (2,), signal.width, Codec.F32)
        assert group.signals == (signal,)
    assert masked_logits(top=5).width == 11
    assert hidden(1).width is None
