import pytest

from pipelines.preset import WHY, Preset
from schemas.configuration import Augmentation


@pytest.mark.parametrize(
    ("rows", "copies", "probability"),
    [(0, 30, 0.5), (9_999, 30, 0.5), (10_000, 20, 0.4), (100_000, 20, 0.4), (100_001, 10, 0.2), (10**9, 10, 0.2)],
)
def test_small_sets_are_grown_more(rows, copies, probability):
    found = Preset.of(rows)
    assert (found.copies, found.probability) == (copies, probability)


def test_every_value_has_its_reason_and_the_middle_is_the_default():
    default = Augmentation(masked_language_model="a/model")
    middle = Preset.of(50_000)
    assert all(getattr(middle, key) == getattr(default, key) for key in WHY)
