import pytest
from transformers import BertConfig, DebertaV2Config, DistilBertConfig, RobertaConfig

from distill.configured import refuse_unreadable
from schemas.errors import ModelError
from schemas.signal import attention_scores, hidden, pooled
from schemas.task import Kind


@pytest.mark.parametrize(
    ("configuration", "signal", "said"),
    [
        (DistilBertConfig, pooled(), "DistilBertForSequenceClassification gives none\nexpected: .*pooled output"),
        (RobertaConfig, pooled(), "RobertaForSequenceClassification gives none"),
        (DebertaV2Config, pooled(), "DebertaV2ForSequenceClassification gives none"),
        (DebertaV2Config, attention_scores(1), "DebertaV2ForSequenceClassification gives none"),
    ],
)
def test_what_a_model_does_not_give_is_refused_without_its_weights(configuration, signal, said):
    with pytest.raises(ModelError, match=said):
        refuse_unreadable(configuration(), Kind.CLASSIFICATION, {hidden(1), signal})
    refuse_unreadable(configuration(), Kind.CLASSIFICATION, {hidden(1)})


def test_what_a_bert_gives_is_not_refused():
    refuse_unreadable(BertConfig(), Kind.CLASSIFICATION, {pooled(), attention_scores(1), hidden(1)})
