import numpy as np
import pytest

from pipelines.budget import bytes_of, check_budget
from pipelines.volume import Volume
from schemas.answers import Answers
from schemas.codec import Codec
from schemas.configuration import Teaching
from schemas.errors import ResourceError
from schemas.lengths import Lengths
from schemas.signal import Family

LENGTHS = Lengths(np.full(10, 40), np.zeros(10, np.int64))
GROUPS = [
    Answers("teacher", Family.LOGITS, (), 2, Codec.F32),
    Answers("teacher", Family.HIDDEN, (0, 3, 6, 9, 12), 768, Codec.F16),
    Answers("teacher", Family.ATTENTION, (3, 6, 9, 12), 12, Codec.F16),
]


def volume(rows: int) -> Volume:
    """Rows of 40 tokens in one shard."""
    return Volume(rows, 1, 4096, [LENGTHS], embedding_bytes=4 * 30_522 * 768)


def test_the_bytes_of_tinyberts_targets_are_those_of_the_arithmetic():
    """BERT-base for a four-layer student, 40 tokens a row, f16."""
    assert bytes_of(GROUPS, volume(1000)) == pytest.approx(1000 * (307_200 + 153_600), rel=1e-3)


def test_within_the_budget_nothing_is_said():
    check_budget(Teaching(), GROUPS, volume(10**9))
    check_budget(Teaching(budget="1GB"), GROUPS, volume(1000))  # type: ignore[arg-type]


def test_over_it_what_would_fit_is_named():
    with pytest.raises(ResourceError) as refused:
        check_budget(Teaching(budget="300MB"), GROUPS, volume(1000))  # type: ignore[arg-type]
    assert "teach.codec=int8 (" in refused.value.remedy
    assert "teach.codec=f16 teach.embedding=compute" not in refused.value.remedy
    # What is not kept of 1,000 rows is less than the embeddings that it is then computed from.
    assert "set teach.embedding=compute" not in refused.value.remedy
    with pytest.raises(ResourceError) as refused:
        check_budget(Teaching(budget="4.2GB"), GROUPS, volume(10_000))  # type: ignore[arg-type]
    assert "set teach.embedding=compute (4.09 GB)" in refused.value.remedy
    with pytest.raises(ResourceError) as refused:
        check_budget(Teaching(budget="1MB"), GROUPS, volume(1000))  # type: ignore[arg-type]
    assert refused.value.remedy.startswith("set train.teacher=live")
