import pytest
import torch
from safetensors.torch import load
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
)

from distill.embedding import embedding_bytes, embedding_size
from distill.encoder import Encoder
from schemas.checkpoint import Checkpoint
from schemas.errors import ModelError
from schemas.task import Kind

SMALL = {"vocab_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 32}


@pytest.mark.parametrize(
    ("model", "configuration"),
    [
        (BertForSequenceClassification, BertConfig(**SMALL)),
        (AlbertForSequenceClassification, AlbertConfig(**SMALL, embedding_size=8)),
        (ElectraForSequenceClassification, ElectraConfig(**SMALL, embedding_size=8)),
    ],
)
def test_what_embeddings_take_is_known_without_their_weights(model, configuration, tmp_path):
    teacher = model(configuration).eval()
    teacher.save_pretrained(tmp_path)
    kept = load(embedding_bytes(Encoder(teacher, Kind.CLASSIFICATION)))
    assert embedding_size(Checkpoint(tmp_path)) == sum(weight.nbytes for weight in kept.values())


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
