"""TinyBERT's losses against the reference code's, computed on real tensors that it wrote."""

import json

import numpy as np
import pytest
import torch
from conftest import SHARED
from safetensors.torch import load_file
from transformers import BertConfig, BertForSequenceClassification

from distill.batch import Batch
from distill.encoder import Encoder
from distill.layer_map import uniform
from distill.losses import mse, soft_cross_entropy
from distill.recipe import load_recipe
from distill.shape import ModelShape
from schemas.signal import attention_scores, hidden
from schemas.task import Kind

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (SHARED / "data/reference").is_dir(), reason="the reference values lie beside the checkout"),
]


@pytest.fixture(scope="module")
def reference():
    folder = SHARED / "data/reference"
    return json.loads((folder / "tinybert_losses.json").read_text()), load_file(folder / "tinybert_losses.safetensors")


def encoder(name: str, facts: dict, tensors: dict) -> Encoder:
    """Our encoder with the reference's weights."""
    shape = facts[name]
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=shape["vocab"],
            hidden_size=shape["hidden"],
            num_hidden_layers=shape["layers"],
            num_attention_heads=shape["heads"],
            intermediate_size=shape["intermediate"],
            max_position_embeddings=shape["positions"],
            num_labels=tensors[f"{name}.classifier.bias"].numel(),
            attn_implementation="distill",
        )
    )
    weights = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
    weights = {k: v for k, v in weights.items() if not k.startswith("fit_dense")}
    model.load_state_dict({k: v for k, v in weights.items() if k in model.state_dict()})
    return Encoder(model.eval(), Kind.CLASSIFICATION)


def padded_tokens(batch: Batch, model: Encoder, layer: int) -> torch.Tensor:
    """The reference's padded hidden states: padded rows are real numbers there."""
    output = model.model(
        input_ids=batch.input_ids,
        token_type_ids=batch.token_type_ids,
        attention_mask=batch.mask.long(),
        output_hidden_states=True,
    )
    return output.hidden_states[layer]


def padded_scores(batch: Batch, model: Encoder, block: int) -> torch.Tensor:
    """The reference's padded scores: padded keys count as zero, padded queries as they come."""
    from distill.attention import capture

    with capture([attention_scores(block)]) as scores:
        model.model(input_ids=batch.input_ids, token_type_ids=batch.token_type_ids, attention_mask=batch.mask.long())
    return torch.where(batch.mask[:, None, None, :], scores[attention_scores(block)], 0.0)


def batch_of(facts: dict, tensors: dict) -> Batch:
    lengths = facts["lengths"]
    ids, segments = tensors["input_ids"].numpy(), tensors["token_type_ids"].numpy()
    rows = range(len(lengths))
    return Batch.of(
        np.arange(len(lengths)),
        [ids[i, : lengths[i]] for i in rows],
        [segments[i, : lengths[i]] for i in rows],
        padding=0,
    )


def test_hidden_and_attention_losses(reference):
    facts, tensors = reference
    teacher, student = (encoder(name, facts, tensors) for name in ("teacher", "student"))
    batch = batch_of(facts, tensors)
    weight, bias = tensors["student.fit_dense.weight"], tensors["student.fit_dense.bias"]
    pairs = uniform(student.shape.layers, teacher.shape.layers)
    with torch.no_grad():
        attention = [mse(padded_scores(batch, student, s), padded_scores(batch, teacher, t)).item() for s, t in pairs]
        representation = [
            mse(padded_tokens(batch, student, s) @ weight.T + bias, padded_tokens(batch, teacher, t)).item()
            for s, t in [(0, 0), *pairs]
        ]
    assert attention == pytest.approx(facts["attention_loss_per_layer"], rel=1e-5)
    assert representation == pytest.approx(facts["hidden_loss_per_layer"], rel=1e-5)
    assert sum(attention) == pytest.approx(facts["attention_loss"], rel=1e-5)
    assert sum(representation) == pytest.approx(facts["hidden_loss"], rel=1e-5)


def test_soft_cross_entropy(reference):
    facts, tensors = reference
    for temperature, expected in facts["soft_cross_entropy"].items():
        found = soft_cross_entropy(float(temperature))(tensors["student_logits"], tensors["teacher_logits"])
        assert found.item() == pytest.approx(expected, rel=1e-5)


def test_packed_signals_are_the_real_part_of_the_references(reference):
    facts, tensors = reference
    teacher = encoder("teacher", facts, tensors)
    batch = batch_of(facts, tensors)
    with torch.no_grad():
        read = teacher.read(batch, [hidden(6), attention_scores(6)])
    torch.testing.assert_close(read[hidden(6)], tensors["teacher_hidden.6"][batch.mask], rtol=1e-4, atol=1e-5)
    scores = [tensors["teacher_scores.5"][i, :, :n, :n].flatten() for i, n in enumerate(facts["lengths"])]
    torch.testing.assert_close(read[attention_scores(6)], torch.cat(scores), rtol=1e-4, atol=1e-5)


def test_the_recipe_names_the_references_layers(reference):
    facts, _ = reference
    shapes = [
        ModelShape(facts[name]["layers"], facts[name]["hidden"], facts[name]["heads"], facts[name]["vocab"], 2)
        for name in ("student", "teacher")
    ]
    columns = {str(column) for column in load_recipe("tinybert", *shapes, {}).columns}
    assert columns == {
        *(f"teacher.hidden.{layer}" for layer in (0, 2, 4, 6)),
        *(f"teacher.attention.{block}" for block in (2, 4, 6)),
        "teacher.logits",
    }
