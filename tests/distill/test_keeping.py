import numpy as np
import pytest
from transformers import DistilBertConfig

from distill.keeping import Keeping, keeping_of
from distill.shape import ModelShape
from schemas.checkpoint import Checkpoint
from schemas.configuration import Teaching
from schemas.errors import ModelError
from schemas.signal import Family, attention_scores, hidden, logits
from schemas.task import Kind

SIGNALS = {logits(), hidden(0), hidden(2), attention_scores(2)}


def kept(teacher_folder, length: int, **teaching) -> Keeping:
    checkpoint = Checkpoint.find(str(teacher_folder))
    shape = ModelShape.of_checkpoint(checkpoint, Kind.CLASSIFICATION)
    return keeping_of(Teaching(**teaching), checkpoint, shape, SIGNALS, lambda: np.full(9, length))


def test_attention_is_kept_as_what_takes_less(teacher_folder):
    """Four heads of eight: the same for eight tokens a row."""
    assert kept(teacher_folder, 8).attention == "scores"
    assert kept(teacher_folder, 9).attention == "input"
    assert kept(teacher_folder, 9, attention="scores").attention == "scores"
    assert kept(teacher_folder, 8, attention="input").attention == "input"


def test_inputs_are_refused_where_scores_are_not_made_of_them(tmp_path):
    DistilBertConfig(n_layers=2, num_labels=2, architectures=["DistilBertForSequenceClassification"]).save_pretrained(
        tmp_path
    )
    shape = ModelShape.of_checkpoint(Checkpoint(tmp_path), Kind.CLASSIFICATION)
    for teaching in (Teaching(attention="scores"), Teaching()):
        assert keeping_of(teaching, Checkpoint(tmp_path), shape, SIGNALS, lambda: np.full(9, 500)).attention == "scores"
    with pytest.raises(ModelError, match="DistilBertForSequenceClassification: other attention"):
        keeping_of(Teaching(attention="input"), Checkpoint(tmp_path), shape, SIGNALS, lambda: np.full(9, 8))


def test_what_is_computed_anew_has_a_family_of_its_own():
    keeping = Keeping(attention="input", embedding="compute")
    assert keeping.family(attention_scores(2)) is Family.ATTENTION_INPUT
    assert keeping.family(hidden(0)) is Family.EMBEDDING
    assert keeping.family(hidden(2)) is Keeping().family(hidden(0)) is Family.HIDDEN


@pytest.mark.parametrize("signals", [{logits()}, {hidden(1)}])
def test_lengths_are_looked_at_only_for_attention(teacher_folder, signals):
    checkpoint = Checkpoint.find(str(teacher_folder))
    shape = ModelShape.of_checkpoint(checkpoint, Kind.CLASSIFICATION)

    def never() -> np.ndarray:
        raise AssertionError

    assert keeping_of(Teaching(), checkpoint, shape, signals, never) == Keeping()
