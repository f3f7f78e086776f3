import re

import pytest
from transformers import BertConfig, DebertaV2Config, DistilBertConfig, RobertaConfig

from distill.configured import refuse_unreadable
from schemas.errors import ConfigurationError, ModelError
from schemas.signal import attention_scores, hidden, pooled, relation
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
    given = {pooled(), attention_scores(1), attention_scores(12), relation(2, "key", 6), hidden(0), hidden(12)}
    assert refuse_unreadable(BertConfig(), Kind.CLASSIFICATION, given) is None


@pytest.mark.parametrize(
    "signal", [hidden(13), hidden(-1), attention_scores(0), attention_scores(13), relation(2, "key", 7)]
)
def test_layers_and_heads_that_a_model_does_not_have_are_refused(signal):
    with pytest.raises(ConfigurationError, match=rf"train.recipe: {re.escape(str(signal))} of a bert"):
        refuse_unreadable(BertConfig(), Kind.CLASSIFICATION, {hidden(0), signal})
