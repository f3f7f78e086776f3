import pytest
import torch
from transformers import (
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
)

from distill.embedding import embedding_bytes
from distill.encoder import Encoder
from schemas.errors import ModelError
from schemas.task import Kind

SMALL = {"vocab_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 32}


@pytest.mark.parametrize(
    ("model", "configuration"),
    [
        (ModernBertForSequenceClassification, ModernBertConfig(**SMALL, pad_token_id=0)),
        (DebertaV2ForSequenceClassification, DebertaV2Config(**SMALL)),
    ],
)
def test_a_teacher_that_cannot_do_without_blocks_is_refused_by_name(model, configuration):
    torch.manual_seed(0)
    with pytest.raises(ModelError, match=rf"found: {model.__name__}: .*\n.*\nto do: set teach.embedding=keep"):
        embedding_bytes(Encoder(model(configuration).eval(), Kind.CLASSIFICATION))
