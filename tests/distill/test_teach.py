import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import originals, write_rows
from safetensors.torch import load_file, save_file

from distill import kept_copies
from distill.embedding import embedding_bytes
from distill.encoder import Encoder
from distill.keeping import Keeping
from distill.needs import identity_of, open_readers, teacher_groups, wanted_groups
from distill.packed import PackedReader
from distill.prepare import prepared
from distill.recipe import from_teacher
from distill.teach import ShardTeacher, settings_of
from distill.teacher import CachedTeacher, LiveTeacher, kept_of
from distill.tokens import Tokenizer
from distill.training_rows import TrainingRows
from schemas import rows as rows_group
from schemas import tokens
from schemas.answers import Answers, Status
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.codec import Codec
from schemas.configuration import Teaching
from schemas.errors import IntegrityError, ModelError, QualityError
from schemas.signal import TEACHER, Family, attention_scores, hidden, logits, pooled, relation
from schemas.task import Task

TASK = Task(texts=("sentence",), labels=("negative", "positive"))
SIGNALS = frozenset({logits(), hidden(0), hidden(2), hidden(4), attention_scores(2), attention_scores(4)})
MORE = frozenset({hidden(3, "first"), hidden(3, "mean"), pooled(), relation(2, "query", 2), relation(4, "value", 8)})
SHARDS = 2


class CountingEncoder(Encoder):
    """Counts the rows it was asked for."""

    rows = 0

    def read(self, batch, signals):
        self.rows += len(batch.rows)
        return super().read(batch, signals)


def shard_teacher(cache, checkpoint, signals=SIGNALS, codec=Codec.F32, budget=256, **forms) -> ShardTeacher:
    teaching = Teaching(codec=codec, max_length=32, batch_tokens=budget)
    keeping = Keeping(codec, **forms)
    identity = identity_of(checkpoint, teaching, threads=1)
    encoder = CountingEncoder(Encoder.load(checkpoint, TASK).model, TASK.kind)
    groups = tuple(wanted_groups(cache, TEACHER, signals, encoder.shape, keeping, identity))
    teacher = ShardTeacher(cache, encoder, Tokenizer.load(checkpoint, 32), groups, identity, budget)
    teacher = replace(teacher, groups=prepared(teacher, cache.group(rows_group.NAME).manifest().shards))
    encoder.rows = 0
    return teacher


def teach(cache, checkpoint, signals=SIGNALS, codec=Codec.F32, **forms):
    """Teach all shards and publish; return the teacher and the sums of work."""
    teacher = shard_teacher(cache, checkpoint, signals, codec, **forms)
    works = [teacher.teach(side) for side in cache.group(rows_group.NAME).manifest().shards]
    token_group = cache.group(tokens.name(teacher.tokenizer.fingerprint, 32))
    token_group.publish_manifest({"tokenizer": teacher.tokenizer.fingerprint}, SHARDS)
    for answers in teacher.groups:
        cache.group(answers.name).publish_manifest(settings_of(answers, teacher.identity), SHARDS)
    return teacher, sum(work.asked for work in works), sum(work.copied for work in works)


def codec_of(teacher: ShardTeacher) -> Codec:
    return next((answers.codec for answers in teacher.groups if not answers.family.exact), Codec.F32)


def opened(cache, checkpoint, teacher, signals=SIGNALS):
    group = tokens.name(checkpoint.tokenizer_fingerprint, 32)
    rows = TrainingRows.of(cache, group, teacher.tokenizer.padding, TASK)
    return rows, CachedTeacher(open_readers(cache, TEACHER, signals, rows, codec_of(teacher), teacher.identity))


@pytest.fixture
def cache(tmp_path):
    cache = Cache(tmp_path / "cache")
    write_rows(cache, originals(40), SHARDS)
    return cache


@pytest.fixture
def checkpoint(teacher_folder):
    return Checkpoint.find(str(teacher_folder))


@pytest.mark.parametrize(
    ("codec", "tolerance"), [(Codec.F32, 1e-5), (Codec.F16, 2e-3), (Codec.BF16, 2e-2), (Codec.INT8, 5e-2)]
)
def test_cached_answers_equal_live_ones(cache, checkpoint, codec, tolerance):
    signals = SIGNALS | MORE
    teacher, asked, _ = teach(cache, checkpoint, signals, codec)
    assert asked == teacher.encoder.rows == 40
    rows, cached = opened(cache, checkpoint, teacher, signals)
    live = LiveTeacher(teacher.encoder)
    for some in np.random.default_rng(0).permutation(40).reshape(5, 8):
        batch = rows.batch(some)
        expected = live.answer(batch, signals)
        found = cached.answer(batch, signals)
        for signal in signals:
            torch.testing.assert_close(found[signal], expected[signal], rtol=tolerance, atol=tolerance)


def test_a_second_time_asks_nothing_and_changes_no_byte(cache, checkpoint):
    teach(cache, checkpoint)
    before = {path: path.read_bytes() for path in cache.path.rglob("*") if path.is_file()}
    teacher, asked, copied = teach(cache, checkpoint)
    assert (asked, copied, teacher.encoder.rows) == (0, 0, 0)
    assert before == {path: path.read_bytes() for path in cache.path.rglob("*") if path.is_file()}


def test_new_rows_alone_are_asked_for(cache, checkpoint):
    teach(cache, checkpoint)
    write_rows(cache, originals(50), SHARDS)
    teacher, asked, copied = teach(cache, checkpoint)
    assert (asked, copied, teacher.encoder.rows) == (10, 40, 10)
    rows, cached = opened(cache, checkpoint, teacher)
    batch = rows.batch(np.arange(50))
    expected = LiveTeacher(teacher.encoder).answer(batch, SIGNALS)
    for signal, values in cached.answer(batch, SIGNALS).items():
        torch.testing.assert_close(values, expected[signal], rtol=1e-5, atol=1e-5)


def test_another_recipes_layers_go_into_a_group_of_their_own(cache, checkpoint):
    teach(cache, checkpoint)
    teacher, *_ = teach(cache, checkpoint, SIGNALS | {hidden(1), hidden(3)})
    names = {answers.name for _, answers in teacher_groups(cache, TEACHER)}
    assert names == {
        "teacher.logits.f32",
        "teacher.hidden.0-2-4.f32",
        "teacher.hidden.1-3.f32",
        "teacher.attention.2-4.f32",
    }
    rows, cached = opened(cache, checkpoint, teacher, {hidden(1), hidden(2)})
    batch = rows.batch(np.arange(8))
    expected = LiveTeacher(teacher.encoder).answer(batch, {hidden(1), hidden(2)})
    for signal, values in cached.answer(batch, {hidden(1), hidden(2)}).items():
        torch.testing.assert_close(values, expected[signal], rtol=1e-5, atol=1e-5)


def test_a_changed_teacher_makes_the_cache_stale_and_every_mismatch_is_listed(cache, checkpoint, tmp_path):
    teacher, *_ = teach(cache, checkpoint)
    changed = tmp_path / "changed"
    changed.mkdir()
    for path in checkpoint.path.iterdir():
        (changed / path.name).write_bytes(path.read_bytes())
    weights = load_file(changed / "model.safetensors")
    save_file(
        {**weights, "classifier.bias": weights["classifier.bias"] + 1}, changed / "model.safetensors", {"format": "pt"}
    )
    other = Checkpoint.find(str(changed))
    rows, _ = opened(cache, checkpoint, teacher)
    with pytest.raises(IntegrityError) as caught:
        open_readers(cache, TEACHER, SIGNALS, rows, Codec.F32, {**teacher.identity, "fingerprint": other.fingerprint})
    for name in ("teacher.logits.f32", "teacher.hidden.0-2-4.f32", "teacher.attention.2-4.f32"):
        assert f"{name}: stale" in caught.value.found
    assert "distill teach" in caught.value.remedy
    _, asked, copied = teach(cache, other)
    assert (asked, copied) == (40, 0)


def test_rows_that_changed_after_teaching_are_refused(cache, checkpoint):
    teacher, *_ = teach(cache, checkpoint)
    write_rows(cache, originals(41), SHARDS)
    with pytest.raises(IntegrityError, match="other rows"):
        opened(cache, checkpoint, teacher)


def test_numbers_that_do_not_fit_keep_an_empty_slot_and_are_counted(cache, checkpoint):
    """Every other row's hidden states are made too large for f16."""
    teacher = shard_teacher(cache, checkpoint, frozenset({logits(), hidden(1)}), Codec.F16)

    class Loud(CountingEncoder):
        def read(self, batch, signals):
            answers = super().read(batch, signals)
            at = 0
            for row, length in zip(batch.rows, batch.lengths, strict=True):
                if row % 2:
                    answers[hidden(1)][at : at + length] *= 1e9
                at += length
            return answers

    teacher = replace(teacher, encoder=Loud(teacher.encoder.model, TASK.kind))
    for side in cache.group(rows_group.NAME).manifest().shards:
        teacher.teach(side)
    cache.group(tokens.name(teacher.tokenizer.fingerprint, 32)).publish_manifest({}, SHARDS)
    manifests = {}
    for answers in teacher.groups:
        manifests[answers.family] = cache.group(answers.name).publish_manifest(
            settings_of(answers, teacher.identity), SHARDS
        )
    sizes = [side.rows for side in manifests[Family.HIDDEN].shards]
    odd = sum(size // 2 for size in sizes)
    assert manifests[Family.HIDDEN].accounting == {"rows": 40, "not_finite": 0, "overflow": odd, "too_long": 0}
    assert manifests[Family.LOGITS].accounting == {"rows": 40, "not_finite": 0, "overflow": 0, "too_long": 0}
    _, cached = opened(cache, checkpoint, teacher, {logits(), hidden(1)})
    lost = ~cached.kept([logits(), hidden(1)], 40)
    assert lost.sum() == odd
    teachers, columns = {TEACHER: cached}, [from_teacher(hidden(1))]
    assert kept_of(np.ones(40, np.bool_), teachers, columns).sum() == 40 - odd
    with pytest.raises(QualityError, match=rf"none of the {odd} to learn from .*{odd} of 40: {odd} overflow"):
        kept_of(lost, teachers, columns)
    assert cached.kept([logits()], 40).all()


@pytest.mark.parametrize(("codec", "tolerance"), [(Codec.F32, 1e-5), (Codec.F16, 2e-3), (Codec.INT8, 5e-2)])
def test_scores_and_embeddings_can_be_computed_anew(cache, checkpoint, codec, tolerance):
    teacher, *_ = teach(cache, checkpoint, codec=codec, attention="input", embedding="compute")
    names = {answers.name for _, answers in teacher_groups(cache, TEACHER)}
    assert names == {
        "teacher.logits.f32",
        f"teacher.hidden.2-4.{codec.value}",
        f"teacher.attention_input.2-4.{codec.value}",
        "teacher.embedding.0.f32",
    }
    rows, cached = opened(cache, checkpoint, teacher)
    live = LiveTeacher(teacher.encoder)
    for some in np.random.default_rng(0).permutation(40).reshape(5, 8):
        batch = rows.batch(some)
        expected = live.answer(batch, SIGNALS)
        for signal, found in cached.answer(batch, SIGNALS).items():
            exact = signal == hidden(0)
            torch.testing.assert_close(
                found, expected[signal], rtol=0 if exact else tolerance, atol=0 if exact else tolerance
            )


@pytest.mark.parametrize("name", ["attention_input", "embedding"])
def test_damaged_weights_beside_shards_are_refused(cache, checkpoint, name):
    teacher, *_ = teach(cache, checkpoint, attention="input", embedding="compute")
    (path,) = cache.path.glob(f"*/{name}.safetensors")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    rows, cached = opened(cache, checkpoint, teacher)
    with pytest.raises(IntegrityError, match=f"{name}.safetensors"):
        cached.answer(rows.batch(np.arange(4)), SIGNALS)


def test_weights_are_the_same_wherever_the_teacher_lies(checkpoint, tmp_path):
    elsewhere = Checkpoint.find(str(shutil.copytree(checkpoint.path, tmp_path / "elsewhere")))
    one, other = (embedding_bytes(Encoder.load(each, TASK)) for each in (checkpoint, elsewhere))
    assert one == other


def test_weights_that_are_refused_or_not_published_leave_nothing(cache, checkpoint, monkeypatch):
    """A group that was never published is never swept."""

    def full(source, target):
        raise OSError("full")

    with monkeypatch.context() as patch:
        patch.setattr("schemas.store.os.replace", full)
        for forms in ({"embedding": "compute"}, {"attention": "input"}):
            with pytest.raises(OSError, match="full"):
                shard_teacher(cache, checkpoint, **forms)
    monkeypatch.setattr("distill.embedding.torch.allclose", lambda *_, **__: False)
    with pytest.raises(ModelError, match="another output"):
        shard_teacher(cache, checkpoint, embedding="compute")
    assert list(cache.path.glob("teacher.*/*")) == []


def test_a_group_is_calibrated_once(cache, checkpoint):
    first, *_ = teach(cache, checkpoint, codec=Codec.INT8)
    write_rows(cache, originals(50), SHARDS)
    second, asked, copied = teach(cache, checkpoint, codec=Codec.INT8)
    assert (asked, copied) == (10, 40)
    assert [answers.affine for answers in first.groups] == [answers.affine for answers in second.groups]


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("forms", [{}, {"attention": "input", "embedding": "compute"}])
def test_bytes_are_foretold(cache, checkpoint, codec, forms):
    teacher, *_ = teach(cache, checkpoint, codec=codec, **forms)
    rows, _ = opened(cache, checkpoint, teacher)
    for answers in teacher.groups:
        group = cache.group(answers.name)
        batches = [batch for side in group.manifest().shards for batch in group.open_shard(side)[1]]
        found = sum(batch.get_total_buffer_size() for batch in batches)
        assert answers.bytes(rows.lengths) == pytest.approx(found, rel=0.02, abs=40 * 8)


@pytest.mark.parametrize("codec", [Codec.F32, Codec.F16, Codec.BF16, Codec.INT8])
def test_the_manifest_says_what_the_codec_cost(cache, checkpoint, codec):
    """What is measured while writing is what a live teacher is missed by."""
    teacher, *_ = teach(cache, checkpoint, codec=codec)
    rows, cached = opened(cache, checkpoint, teacher)
    batch = rows.batch(np.arange(40))
    live = LiveTeacher(teacher.encoder).answer(batch, SIGNALS)
    for answers in teacher.groups:
        errors = cache.group(answers.name).manifest().errors
        if answers.codec is Codec.F32:
            assert errors == {}
            continue
        expected = torch.cat([live[signal].flatten() for signal in answers.signals])
        missed = torch.cat([cached.answer(batch, {signal})[signal].flatten() for signal in answers.signals]) - expected
        (error,) = errors.values()
        assert error.relative == pytest.approx(float(missed.norm() / expected.norm()), rel=0.02)
        assert error.largest == pytest.approx(float(missed.abs().max()), rel=0.02)
        assert error.relative < {Codec.F16: 3e-4, Codec.BF16: 3e-3, Codec.INT8: 1e-2}[codec]


def test_grown_shards_keep_what_their_codec_cost(cache, checkpoint):
    teach(cache, checkpoint, codec=Codec.F16)
    (before,) = cache.group("teacher.hidden.0-2-4.f16").manifest().errors.values()
    write_rows(cache, originals(50), SHARDS)
    teach(cache, checkpoint, codec=Codec.F16)
    (after,) = cache.group("teacher.hidden.0-2-4.f16").manifest().errors.values()
    assert before.squares < after.squares
    assert before.relative == pytest.approx(after.relative, rel=0.2)


def test_rows_that_are_asked_again_for_another_layer_keep_what_they_had(cache, checkpoint, tmp_path):
    """An answer of theirs that is known is neither written anew nor counted twice."""
    name = "teacher.hidden.0-2-4.f16"
    teach(cache, checkpoint, codec=Codec.F16)
    first = {id: row for row in rows_in(cache.group(name)) for id in [row.pop("id")]}
    fresh = Cache(tmp_path / "fresh")
    for each, signals in ((cache, SIGNALS | {hidden(3)}), (fresh, SIGNALS)):
        write_rows(each, originals(50), SHARDS)
        _, asked, _ = teach(each, checkpoint, signals, Codec.F16)
        assert asked == 50
    grown = {id: row for row in rows_in(cache.group(name)) for id in [row.pop("id")]}
    assert len(grown) == 50
    assert {id: grown[id] for id in first} == first
    (found,), (expected,) = (each.group(name).manifest().errors.values() for each in (cache, fresh))
    assert found.squares == pytest.approx(expected.squares, rel=0.01)
    assert found.energy == pytest.approx(expected.energy, rel=1e-4)


def rows_in(group) -> list[dict]:
    """All rows of a group."""
    return [row for side in group.manifest().shards for row in group.read_shard(side).to_pylist()]


def test_rows_that_are_too_long_can_be_left_without_an_answer(cache, checkpoint):
    teacher = shard_teacher(cache, checkpoint)
    tokenizer = Tokenizer.load(checkpoint, 7)
    identity = {**teacher.identity, "max_length": 7, "longer": "leave"}
    teacher = replace(teacher, tokenizer=tokenizer, identity=identity)
    sides = cache.group(rows_group.NAME).manifest().shards
    works = [teacher.teach(side) for side in sides]
    tokens_group = cache.group(tokens.name(tokenizer.fingerprint, 7))
    cut = tokens_group.publish_manifest({}, SHARDS).accounting["cut"]
    assert 0 < cut < 40
    for answers in teacher.groups:
        manifest = cache.group(answers.name).publish_manifest(settings_of(answers, identity), SHARDS)
        assert manifest.accounting == {"rows": 40, "not_finite": 0, "overflow": 0, "too_long": cut}
    assert sum(work.asked for work in works) == teacher.encoder.rows == 40 - cut
    again = [teacher.teach(side) for side in sides]
    assert all(work.asked == work.copied == 0 for work in again)
    loaded = TrainingRows.of(cache, tokens_group.name, tokenizer.padding, TASK)
    cached = CachedTeacher(open_readers(cache, TEACHER, SIGNALS, loaded, Codec.F32, identity))
    assert cached.kept(SIGNALS, 40).sum() == 40 - cut
    shortened = {key: value for key, value in identity.items() if key != "longer"}
    with pytest.raises(IntegrityError, match="longer leave, not cut"):
        open_readers(cache, TEACHER, SIGNALS, loaded, Codec.F32, shortened)


def test_the_statistics_say_what_was_kept(cache, checkpoint):
    teacher, *_ = teach(cache, checkpoint)
    rows, cached = opened(cache, checkpoint, teacher)
    everything = cached.answer(rows.batch(np.arange(40)), {logits()})[logits()]
    low, high = cache.group("teacher.logits.f32").manifest().ranges["logits"]
    assert (low, high) == (everything.min().item(), everything.max().item())


def test_a_crafted_shard_with_other_sizes_is_refused(cache, checkpoint):
    teacher, *_ = teach(cache, checkpoint)
    answers = next(a for a in teacher.groups if a.family is Family.HIDDEN)
    group = cache.group(answers.name)
    side = group.manifest().shards[0]
    table = group.read_shard(side)
    with group.writer(0, answers.schema) as writer:
        ids = table.column("id").to_numpy()
        seven = answers.codec.keep(np.zeros((1, 7), np.float32))
        writer.write(answers.to_batch(ids, [Status.KEPT] * len(ids), [seven] * len(ids)))
        writer.commit(settings=side.settings, input=side.input, accounting={})
    group.publish_manifest(settings_of(answers, teacher.identity), SHARDS)
    rows, cached = opened(cache, checkpoint, teacher)
    with pytest.raises(IntegrityError, match="as many numbers a row"):
        cached.answer(rows.batch(np.arange(40)), SIGNALS)


@pytest.mark.parametrize("codec", Codec)
def test_an_answer_stays_what_it_is_when_other_rows_are_read(cache, checkpoint, codec):
    teacher, *_ = teach(cache, checkpoint, codec=codec)
    rows, cached = opened(cache, checkpoint, teacher)
    first = cached.answer(rows.batch(np.arange(24)), SIGNALS)
    before = {signal: values.clone() for signal, values in first.items()}
    cached.answer(rows.batch(np.arange(24, 40)), SIGNALS)
    for signal, values in first.items():
        assert torch.equal(values, before[signal]), signal


def test_answers_of_copies_are_the_same_in_one_batch_and_in_many(cache, checkpoint, monkeypatch):
    teacher, *_ = teach(cache, checkpoint)
    rows, cached = opened(cache, checkpoint, teacher)
    whole = kept_copies.answers_of(rows, np.arange(40), cached)
    monkeypatch.setattr(kept_copies, "ROWS_PER_BATCH", 7)
    for row, said in kept_copies.answers_of(rows, np.arange(40), cached).items():
        assert np.array_equal(said, whole[row]), row


def test_names_of_groups():
    assert Answers("large", Family.HIDDEN, (0, 3), 8, Codec.F16).name == "large.hidden.0-3.f16"
    assert Answers("teacher", Family.LOGITS, (), 2, Codec.F32).name == "teacher.logits.f32"


def test_shards_are_opened_when_first_wanted(cache, checkpoint):
    teacher, *_ = teach(cache, checkpoint)
    rows, cached = opened(cache, checkpoint, teacher)
    reader: PackedReader = cached.readers[hidden(2)]
    assert not reader.opened
    cached.answer(rows.batch(np.array([0])), {hidden(2)})
    assert reader.opened == {0}
