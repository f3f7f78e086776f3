"""Teachers of other families, each with its own kind of tokenizer, against the plain model of transformers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import labelled
from tiny_tokenizers import ROBERTA, byte_level, unigram, word_piece
from transformers import (
    AlbertConfig,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
)

from distill.arm_result import save_model
from distill.attention import gives_scores
from distill.batch import Batch
from distill.encoder import Encoder, architecture
from distill.skeleton import skeleton_of
from distill.student import BLOCK, make_student
from distill.tokens import Tokenizer
from schemas.checkpoint import Checkpoint
from schemas.configuration import Student
from schemas.errors import ModelError
from schemas.positions import positions_of
from schemas.signal import answer_of, attention_scores, hidden
from schemas.task import Kind, Task, Unit, unit_of

LAYERS, HEADS, WIDTH = 3, 2, 16
TEXTS = [
    ("a good film",),
    ("the plot was very bad and the script is weak and the film of that actor is dull",),
    ("superb and bright", "the music of it is cold"),
]
KINDS = (Kind.CLASSIFICATION, Kind.TOKEN_CLASSIFICATION, Kind.NONE)
SMALL = {
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "hidden_size": WIDTH,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
}
DISENTANGLED = {
    "relative_attention": True,
    "position_buckets": 8,
    "pos_att_type": ["p2c", "c2p"],
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
}
FAMILIES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "bert": (word_piece, BertConfig, SMALL),
    "minilm": (lambda: unigram(ROBERTA), BertConfig, {**SMALL, "pad_token_id": 1}),
    "roberta": (lambda: byte_level(True, ROBERTA), RobertaConfig, {**SMALL, "type_vocab_size": 1}),
    "xlm-roberta": (lambda: unigram(ROBERTA), XLMRobertaConfig, {**SMALL, "type_vocab_size": 1}),
    "electra": (word_piece, ElectraConfig, {**SMALL, "embedding_size": 12}),
    "distilbert": (
        word_piece,
        DistilBertConfig,
        {"n_layers": LAYERS, "n_heads": HEADS, "dim": WIDTH, "hidden_dim": 24, "max_position_embeddings": 64},
    ),
    "albert": (unigram, AlbertConfig, {**SMALL, "embedding_size": 12}),
    "deberta-v3": (unigram, DebertaV2Config, {**SMALL, **DISENTANGLED}),
    # Every other block sees four pieces to either side.
    "modernbert": (
        lambda: byte_level(False),
        ModernBertConfig,
        {**SMALL, "pad_token_id": 0, "local_attention": 8, "global_attn_every_n_layers": 2},
    ),
}
WITHOUT_SCORES = {"deberta-v3"}


def task_of(kind: Kind) -> Task:
    match unit_of(kind):
        case Unit.ROW:
            return Task(texts=("one", "other"), labels=("negative", "positive"))
        case Unit.WORD:
            return Task(kind=kind, texts=("words",), label="tags", labels=("O", "B-thing", "I-thing"))
        case Unit.NOTHING:
            return Task(kind=kind, texts=("one", "other"))


def configuration_of(family: str, vocabulary: PreTrainedTokenizerFast, **changes: Any) -> Any:
    _, configuration, shape = FAMILIES[family]
    return configuration(vocab_size=len(vocabulary), **{**shape, **changes})


def save_family(folder: Path, family: str, kind: Kind, **changes: Any) -> Checkpoint:
    """Save a model with random weights and its tokenizer."""
    torch.manual_seed(7)
    vocabulary = FAMILIES[family][0]()
    names = labelled(task_of(kind).labels) if task_of(kind).labels else {}
    configuration = configuration_of(family, vocabulary, **names, **changes)
    model = architecture(kind).from_config(configuration)
    for parameter in model.parameters():
        # As drawn, weights are so small that every softmax is flat.
        parameter.data.mul_(20.0) if parameter.ndim > 1 else parameter.data.add_(torch.randn_like(parameter), alpha=0.1)
    model.save_pretrained(folder)
    vocabulary.save_pretrained(folder)
    return Checkpoint.find(str(folder))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Kind], Checkpoint]:
    folder = tmp_path_factory.mktemp("families")
    return {
        (family, kind): save_family(folder / f"{family}-{kind.value}", family, kind)
        for family in FAMILIES
        for kind in KINDS
    }


def batch_of(tokenizer: Tokenizer, texts: list[tuple[str, ...]]) -> Batch:
    encoded = [tokenizer.encode([each]) for each in texts]
    return Batch.of(
        np.arange(len(texts)),
        [np.array(each.input_ids[0]) for each in encoded],
        [np.array(each.token_type_ids[0]) for each in encoded],
        padding=tokenizer.padding,
    )


def plain_of(checkpoint: Checkpoint, kind: Kind) -> Any:
    return architecture(kind).from_pretrained(checkpoint.path, attn_implementation="eager").eval()


def ask_plain(model: Any, batch: Batch, row: int, **wanted: bool) -> Any:
    """Ask a plain model about one row without padding."""
    length = int(batch.lengths[row])
    inputs = {"input_ids": batch.input_ids[row : row + 1, :length]}
    if getattr(model.config, "type_vocab_size", 0) > 1:
        inputs["token_type_ids"] = batch.token_type_ids[row : row + 1, :length]
    with torch.no_grad():
        return model(**inputs, **wanted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_logits_and_hidden_states_of_every_layer(checkpoints, family, kind):
    checkpoint = checkpoints[family, kind]
    encoder, batch = Encoder.load(checkpoint, task_of(kind)), batch_of(Tokenizer.load(checkpoint, 32), TEXTS)
    answer = [] if kind is Kind.NONE else [answer_of(kind)]
    with torch.no_grad():
        read = encoder.read(batch, [*answer, *map(hidden, range(encoder.shape.layers + 1))])
    plain = plain_of(checkpoint, kind)
    rows = [ask_plain(plain, batch, row, output_hidden_states=True) for row in range(len(TEXTS))]
    assert (encoder.shape.layers, encoder.shape.width) == (LAYERS, WIDTH) == (len(rows[0].hidden_states) - 1, WIDTH)
    for layer in range(LAYERS + 1):
        expected = torch.cat([each.hidden_states[layer][0] for each in rows])
        torch.testing.assert_close(read[hidden(layer)], expected, rtol=1e-4, atol=1e-5)
    for signal in answer:
        expected = torch.cat([each.logits if signal.at == "row" else each.logits[0] for each in rows])
        torch.testing.assert_close(read[signal], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - WITHOUT_SCORES))
def test_attention_scores_are_those_whose_softmax_the_plain_model_gives(checkpoints, family):
    kind = Kind.CLASSIFICATION
    checkpoint = checkpoints[family, kind]
    encoder, batch = Encoder.load(checkpoint, task_of(kind)), batch_of(Tokenizer.load(checkpoint, 32), TEXTS)
    signals = [attention_scores(block) for block in range(1, LAYERS + 1)]
    with torch.no_grad():
        read = encoder.read(batch, signals)
    plain = plain_of(checkpoint, kind)
    rows = [ask_plain(plain, batch, row, output_attentions=True).attentions for row in range(len(TEXTS))]
    for block, signal in enumerate(signals, 1):
        for row, scores in enumerate(rows_of(read[signal], batch)):
            expected = rows[row][block - 1][0]
            seen = seen_by(plain.config, block, len(scores[0]))
            weights = scores.masked_fill(~seen, -torch.inf).softmax(-1)
            torch.testing.assert_close(weights, expected, rtol=1e-4, atol=1e-5)
            assert not scores[:, ~seen].any()
            assert expected.std() > 0.1 * expected.mean()


def rows_of(packed: torch.Tensor, batch: Batch) -> list[torch.Tensor]:
    """Return packed scores of each row, [heads, length, length]."""
    lengths = batch.lengths.tolist()
    parts = packed.split([HEADS * length**2 for length in lengths])
    return [part.view(HEADS, length, length) for part, length in zip(parts, lengths, strict=True)]


def seen_by(configuration: Any, block: int, length: int) -> torch.Tensor:
    """Return which pairs a block looks at."""
    apart = (torch.arange(length)[:, None] - torch.arange(length)).abs()
    types = getattr(configuration, "layer_types", None) or ["full_attention"] * LAYERS
    return apart <= (configuration.sliding_window if types[block - 1] == "sliding_attention" else length)


def test_some_rows_are_longer_than_the_window(checkpoints):
    checkpoint = checkpoints["modernbert", Kind.CLASSIFICATION]
    plain, batch = plain_of(checkpoint, Kind.CLASSIFICATION), batch_of(Tokenizer.load(checkpoint, 32), TEXTS)
    assert [bool(seen_by(plain.config, block, int(batch.lengths.max())).all()) for block in (1, 2, 3)] == [1, 0, 1]


@pytest.mark.parametrize("positions", [34, 20])
@pytest.mark.parametrize(("family", "kept"), [("roberta", 2), ("xlm-roberta", 2), ("bert", 0), ("distilbert", 0)])
def test_the_longest_row_is_what_the_model_has_positions_for(tmp_path, family, kept, positions):
    checkpoint = save_family(tmp_path, family, Kind.CLASSIFICATION, max_position_embeddings=positions)
    longest, endless = positions - kept, [("film " * 50,)]
    batch = batch_of(Tokenizer.load(checkpoint, longest), endless)
    assert batch.lengths.tolist() == [longest]
    encoder = Encoder.load(checkpoint, task_of(Kind.CLASSIFICATION))
    with torch.no_grad():
        assert encoder.read(batch, [answer_of(Kind.CLASSIFICATION)])
    with pytest.raises(ModelError, match=f"teach.max_length` of at most {longest}") as caught:
        Tokenizer.load(checkpoint, longest + 1)
    assert (caught.value.found, f"={longest} " in caught.value.remedy) == (str(longest + 1), True)
    too_long = batch_of(replace(Tokenizer.load(checkpoint, longest), max_length=longest + 1), endless)
    with pytest.raises((IndexError, RuntimeError)), torch.no_grad():
        encoder.read(too_long, [answer_of(Kind.CLASSIFICATION)])


@pytest.mark.parametrize("family", FAMILIES)
def test_positions_are_the_same_with_and_without_weights(checkpoints, family):
    checkpoint = checkpoints[family, Kind.NONE]
    expected = 62 if "roberta" in family else 64
    assert positions_of(skeleton_of(checkpoint, Kind.NONE)) == expected
    assert positions_of(plain_of(checkpoint, Kind.NONE)) == expected


@pytest.mark.parametrize("family", sorted(WITHOUT_SCORES))
def test_a_model_without_attention_scores_says_so(checkpoints, family):
    checkpoint = checkpoints[family, Kind.CLASSIFICATION]
    encoder = Encoder.load(checkpoint, task_of(Kind.CLASSIFICATION))
    batch = batch_of(Tokenizer.load(checkpoint, 32), TEXTS)
    with pytest.raises(ModelError, match="DebertaV2ForSequenceClassification gives none") as caught, torch.no_grad():
        encoder.read(batch, [hidden(1), attention_scores(2)])
    assert caught.value.expected == "attention before softmax: attention.2"
    assert "attention: false" in caught.value.remedy


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_known_to_be_missing_before_weights_are_read(checkpoints, family):
    model = skeleton_of(checkpoints[family, Kind.CLASSIFICATION], Kind.CLASSIFICATION)
    assert gives_scores(model) == (family not in WITHOUT_SCORES)
    assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize("kind", [Kind.CLASSIFICATION, Kind.NONE])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_student_takes_the_layers_of_a_teacher_of_any_family(checkpoints, tmp_path, family, kind):
    teacher, task = checkpoints[family, kind], task_of(kind)
    student = make_student(Student(layers=2), teacher, task, 0)
    save_model(student, teacher, tmp_path)
    again = Encoder.load(Checkpoint.find(str(tmp_path)), task)
    batch = batch_of(Tokenizer.load(teacher, 32), TEXTS)
    with torch.no_grad():
        read = again.read(batch, [hidden(0), hidden(1), hidden(2)])
        expected = Encoder.load(teacher, task).read(batch, [hidden(0), hidden(1)])
    assert again.shape.layers == 2
    # Of three blocks the uniform map takes the first and the last.
    for layer in (0, 1):
        torch.testing.assert_close(read[hidden(layer)], expected[hidden(layer)])
    blocks = [numbered for numbered in map(BLOCK.search, again.model.state_dict()) if numbered]
    assert {int(numbered[2]) for numbered in blocks} == (set() if family == "albert" else {0, 1})
    source, taken = Encoder.load(teacher, task).model.state_dict(), again.model.state_dict()
    for name in taken:
        of_teacher = BLOCK.sub(lambda found: f"{found[1]}{2 if found[2] == '1' else 0}.", name)
        assert torch.equal(taken[name], source[of_teacher]), name


@pytest.mark.parametrize("family", FAMILIES)
def test_a_student_at_random_has_the_shape_that_was_asked_for(checkpoints, family):
    teacher, task = checkpoints[family, Kind.CLASSIFICATION], task_of(Kind.CLASSIFICATION)
    wanted = Student(start="random", layers=2, width=8, heads=2, intermediate=20)
    student = make_student(wanted, teacher, task, 0)
    batch = batch_of(Tokenizer.load(teacher, 32), TEXTS)
    with torch.no_grad():
        assert student.read(batch, [hidden(2)])[hidden(2)].shape == (batch.lengths.sum(), 8)
    # ModernBERT's gate makes it two of one.
    assert any(20 in parameter.shape or 40 in parameter.shape for parameter in student.model.parameters())
