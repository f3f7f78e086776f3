import numpy as np
import pytest
import torch
from conftest import configuration, save
from transformers import (
    AutoModel,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from distill.batch import Batch
from distill.encoder import Encoder
from distill.tokens import Tokenizer
from schemas.checkpoint import Checkpoint
from schemas.errors import ModelError
from schemas.signal import Family, Signal, attention_scores, hidden, logits, pooled, relation
from schemas.task import Task

TASK = Task(texts=("sentence",), labels=("negative", "positive"))
OTHERWISE = {Family.TOKEN_LOGITS, Family.MASKED_LOGITS, Family.ATTENTION_INPUT, Family.EMBEDDING}
"""Families that other heads give, or that are forms of keeping."""
TEXTS = [("a good film",), ("the plot was very bad and the script is weak",), ("superb!",)]


def batch_of(tokenizer: Tokenizer, texts=TEXTS) -> Batch:
    encoded = tokenizer.encode(texts)
    return Batch.of(
        np.arange(len(texts)),
        [np.array(ids) for ids in encoded.input_ids],
        [np.array(ids) for ids in encoded.token_type_ids],
        padding=tokenizer.padding,
    )


def test_signals_equal_what_transformers_gives(teacher_folder):
    checkpoint = Checkpoint.find(str(teacher_folder))
    encoder, tokenizer = Encoder.load(checkpoint, TASK), Tokenizer.load(checkpoint, 32)
    batch = batch_of(tokenizer)
    plain = BertForSequenceClassification.from_pretrained(teacher_folder, attn_implementation="eager").eval()
    with torch.no_grad():
        read = encoder.read(batch, [logits(), *map(hidden, range(5)), *map(attention_scores, range(1, 5))])
        expected = plain(
            input_ids=batch.input_ids,
            attention_mask=batch.mask.long(),
            output_hidden_states=True,
            output_attentions=True,
        )
    torch.testing.assert_close(read[logits()], expected.logits)
    for layer in range(5):
        torch.testing.assert_close(read[hidden(layer)], expected.hidden_states[layer][batch.mask])
    for block in range(1, 5):
        at = 0
        for row, length in enumerate(batch.lengths.tolist()):
            scores = read[attention_scores(block)][at : at + 4 * length**2].view(4, length, length)
            torch.testing.assert_close(scores.softmax(-1), expected.attentions[block - 1][row, :, :length, :length])
            at += 4 * length**2
        assert at == read[attention_scores(block)].numel()


def test_a_row_as_a_whole_is_its_first_token_their_mean_or_the_pooled_output(teacher_folder):
    checkpoint = Checkpoint.find(str(teacher_folder))
    encoder, batch = Encoder.load(checkpoint, TASK), batch_of(Tokenizer.load(checkpoint, 32))
    plain = AutoModel.from_pretrained(teacher_folder, attn_implementation="eager").eval()
    with torch.no_grad():
        read = encoder.read(batch, [hidden(3, "first"), hidden(3, "mean"), pooled()])
        expected = plain(batch.input_ids, attention_mask=batch.mask.long(), output_hidden_states=True)
    states = expected.hidden_states[3]
    torch.testing.assert_close(read[hidden(3, "first")], states[:, 0])
    means = torch.stack([row[:length].mean(0) for row, length in zip(states, batch.lengths.tolist(), strict=True)])
    torch.testing.assert_close(read[hidden(3, "mean")], means)
    torch.testing.assert_close(read[pooled()], expected.pooler_output)


@pytest.mark.parametrize("of", ["query", "key", "value"])
@pytest.mark.parametrize("heads", [2, 4, 8])
def test_relations_are_products_of_a_blocks_projections(teacher_folder, of, heads):
    checkpoint = Checkpoint.find(str(teacher_folder))
    encoder, batch = Encoder.load(checkpoint, TASK), batch_of(Tokenizer.load(checkpoint, 32))
    block = 2
    with torch.no_grad():
        read = encoder.read(batch, [relation(block, of, heads), hidden(block - 1)])
        states = getattr(encoder.model.bert.encoder.layer[block - 1].attention.self, of)(read[hidden(block - 1)])
    found, expected = read[relation(block, of, heads)], []
    for row in states.split(batch.lengths.tolist()):
        cut = row.view(len(row), heads, -1)
        expected.append(torch.einsum("ihd,jhd->hij", cut, cut).flatten() / cut.size(-1) ** 0.5)
    torch.testing.assert_close(found, torch.cat(expected))


def test_a_model_without_a_pooler_says_so():
    model = DistilBertForSequenceClassification(
        DistilBertConfig(vocab_size=9, dim=16, hidden_dim=32, n_layers=2, n_heads=2)
    )
    encoder = Encoder(model.eval(), TASK.kind)
    batch = Batch.of(np.arange(1), [np.array([1, 2, 3])], [np.zeros(3)], padding=0)
    with (
        torch.no_grad(),
        pytest.raises(
            ModelError,
            match="DistilBertForSequenceClassification gives none\nexpected: a model that gives pooled output",
        ),
    ):
        encoder.read(batch, [pooled()])


def test_a_row_reads_the_same_alone_and_padded(teacher_folder):
    checkpoint = Checkpoint.find(str(teacher_folder))
    encoder, tokenizer = Encoder.load(checkpoint, TASK), Tokenizer.load(checkpoint, 32)
    signals = [logits(), hidden(4), hidden(2, "mean"), pooled(), attention_scores(2), relation(1, "value", 2)]
    with torch.no_grad():
        together = encoder.read(batch_of(tokenizer), signals)
        alone = [encoder.read(batch_of(tokenizer, [texts]), signals) for texts in TEXTS]
    for signal in signals:
        torch.testing.assert_close(together[signal], torch.cat([each[signal] for each in alone]))


def test_a_signal_of_any_family_reads_the_same_without_others(teacher_folder):
    checkpoint = Checkpoint.find(str(teacher_folder))
    encoder, batch = Encoder.load(checkpoint, TASK), batch_of(Tokenizer.load(checkpoint, 32))
    signals = [Signal.of(f, 2 if "layers" in f.axes else None, 2) for f in Family if f not in OTHERWISE]
    with torch.no_grad():
        together = encoder.read(batch, signals)
        for signal in signals:
            torch.testing.assert_close(encoder.read(batch, [signal]), {signal: together[signal]})


def test_special_tokens_in_a_text_are_text(teacher_folder):
    tokenizer = Tokenizer.load(Checkpoint.find(str(teacher_folder)), 32)
    ids = tokenizer.encode([("a [SEP] b",)]).input_ids[0]
    assert ids.count(tokenizer.backend.sep_token_id) == 1
    assert tokenizer.encode([("a [MASK]",)]).input_ids[0].count(tokenizer.backend.mask_token_id) == 0


def test_cut_rows_are_counted(teacher_folder):
    tokenizer = Tokenizer.load(Checkpoint.find(str(teacher_folder)), 5)
    encoded = tokenizer.encode([("a good film",), ("a good film and more",)])
    assert (encoded.cut, [len(ids) for ids in encoded.input_ids]) == (1, [5, 5])


def test_a_head_that_was_just_initialised_is_refused(tmp_path):
    model = BertForSequenceClassification(configuration())
    save(model.bert, tmp_path)
    with pytest.raises(ModelError, match=r"classifier\.bias"):
        Encoder.load(Checkpoint.find(str(tmp_path)), TASK)


def test_labels_in_another_order_are_refused_with_both_maps(teacher_folder):
    task = Task(texts=("sentence",), labels=("positive", "negative"))
    with pytest.raises(ModelError, match=r"0: 'positive'") as caught:
        Encoder.load(Checkpoint.find(str(teacher_folder)), task)
    assert "labels: [negative, positive]" in caught.value.remedy


def test_a_tokenizer_larger_than_the_model_is_refused(tmp_path):
    save(BertForSequenceClassification(configuration(vocab_size=50)), tmp_path)
    with pytest.raises(ModelError, match="50 pieces"):
        Tokenizer.load(Checkpoint.find(str(tmp_path)), 32)


def test_pickled_weights_and_remote_code_are_refused(teacher_folder, tmp_path):
    model = AutoModel.from_pretrained(teacher_folder)
    (tmp_path / "a").mkdir()
    model.config.save_pretrained(tmp_path / "a")
    (tmp_path / "a" / "pytorch_model.bin").write_bytes(b"canary")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin"):
        Checkpoint.find(str(tmp_path / "a"))
    model.config.auto_map = {"AutoModel": "evil.Evil"}
    model.save_pretrained(tmp_path / "b")
    with pytest.raises(ModelError, match="auto_map"):
        Checkpoint.find(str(tmp_path / "b"))
