"""What is read packed beside what any Arrow reader finds in the files, by one thread and by several."""

import os
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill import packed
from distill.packed import PackedReader, read_together
from schemas.answers import SCALES, Answers, Status
from schemas.codec import Codec
from schemas.digest import digest
from schemas.errors import IntegrityError
from schemas.group import Group
from schemas.signal import TEACHER, Family

SHARDS = (9, 1, 14)
WIDTH = 3
LENGTHS = np.random.default_rng(0).integers(1, 12, sum(SHARDS))


def write(folder, family, layers, codec) -> Group:
    """Write random numbers for all rows, every fifth of which has no answer."""
    answers = Answers(TEACHER, family, layers, WIDTH, codec)
    group = Group(folder / answers.name)
    generator = np.random.default_rng(1)
    ends = np.cumsum([0, *SHARDS])
    for shard, (start, end) in enumerate(pairwise(ends)):
        rows = range(start, end)
        kept = [
            answers.keep(
                [generator.normal(size=size).astype(np.float32) for _ in layers] if row % 5 else [], LENGTHS[row]
            )[0]
            for row, size in zip(rows, answers.size(LENGTHS[start:end]), strict=True)
        ]
        status = [Status.KEPT if row % 5 else Status.OVERFLOW for row in rows]
        with group.writer(shard, answers.schema) as writer:
            # Several record batches, as files have them.
            for low in range(0, len(rows), 4):
                part = slice(low, low + 4)
                writer.write(answers.to_batch(np.array(rows[part], np.uint64), status[part], kept[part]))
            failed = {"overflow": sum(each is Status.OVERFLOW for each in status)}
            writer.commit(settings=digest("x"), input=digest("x"), accounting=failed)
    group.publish_manifest(answers.settings(), len(SHARDS))
    return group


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packed")
    return [
        write(folder, Family.HIDDEN, (0, 2, 3, 5), Codec.F16),
        write(folder, Family.ATTENTION, (2, 5), Codec.INT8),
        write(folder, Family.HIDDEN, (1,), Codec.F32),
    ]


@pytest.fixture
def shared_out(monkeypatch):
    """Share out every byte, however few."""
    monkeypatch.setattr(packed, "SHARE", 1)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def expected(group, name, signals, rows) -> np.ndarray:
    """What pyarrow finds, layer after layer."""
    manifest = group.manifest()
    lists = [row for side in manifest.shards for row in group.read_shard(side)[name].to_pylist()]
    layers = len(Answers.of(manifest.settings).signals)
    return np.concatenate([np.array(lists[row]).reshape(layers, -1)[signals] for row in rows], axis=1)


@pytest.mark.usefixtures("shared_out")
@given(data=st.data(), threads=st.integers(1, 5))
def test_rows_are_read_as_they_were_written_by_any_number_of_threads(groups, data, threads):
    torch.set_num_threads(threads)
    answered = [row for row in range(len(LENGTHS)) if row % 5]
    rows = np.array(data.draw(st.lists(st.sampled_from(answered), min_size=1, max_size=9)))
    readers = [PackedReader(group, LENGTHS) for group in groups]
    positions = [
        data.draw(st.lists(st.sampled_from(range(len(reader.answers.signals))), min_size=1, unique=True))
        for reader in readers
    ]
    wanted = {
        reader: [reader.answers.signals[i] for i in chosen] for reader, chosen in zip(readers, positions, strict=True)
    }
    found = read_together(rows, wanted)
    assert list(found) == readers
    for group, reader, chosen in zip(groups, readers, positions, strict=True):
        answers = reader.answers
        assert np.array_equal(found[reader].numbers, expected(group, answers.family.value, chosen, rows))
        scales = found[reader].scales
        assert (scales is None) != answers.codec.scales
        if scales is not None:
            assert np.array_equal(scales, expected(group, SCALES, chosen, rows))


@pytest.mark.usefixtures("shared_out")
@pytest.mark.parametrize("threads", [1, 2])
def test_only_shards_that_are_wanted_are_opened_and_all_of_them_to_know_what_is_kept(groups, threads):
    torch.set_num_threads(threads)
    reader = PackedReader(groups[0], LENGTHS)
    read_together(np.array([1, 23]), {reader: reader.answers.signals})
    assert reader.opened == {0, 2}
    assert reader.kept().tolist() == [row % 5 > 0 for row in range(len(LENGTHS))]
    assert reader.opened == {0, 1, 2}


@pytest.mark.usefixtures("shared_out")
@pytest.mark.parametrize("threads", [1, 3])
def test_a_damaged_shard_is_refused_by_whichever_thread_opens_it(tmp_path, threads):
    torch.set_num_threads(threads)
    group = write(tmp_path, Family.HIDDEN, (0, 1), Codec.F16)
    file = group.path / group.manifest().shards[0].file
    file.write_bytes(file.read_bytes()[:-1] + b"\x07")
    reader = PackedReader(group, LENGTHS)
    with pytest.raises(IntegrityError, match="content with digest"):
        read_together(np.array([1, 11, 23]), {reader: reader.answers.signals})
    assert 0 not in reader.opened


def test_a_row_without_an_answer_is_refused_instead_of_read_from_its_neighbour(groups):
    reader = PackedReader(groups[0], LENGTHS)
    with pytest.raises(ValueError, match="no answer for row 10"):
        read_together(np.array([1, 10, 12]), {reader: reader.answers.signals})


def test_open_shards_hold_no_descriptors(groups):
    before = len(os.listdir("/proc/self/fd"))
    reader = PackedReader(groups[0], LENGTHS)
    reader.kept()
    assert reader.opened == {0, 1, 2}
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_reader_reads_nothing():
    assert read_together(np.array([1, 2]), {}) == {}
