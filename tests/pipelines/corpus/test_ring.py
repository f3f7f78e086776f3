from collections import Counter

import numpy as np
import pytest

from pipelines.corpus import ring
from pipelines.corpus.ring import Ring, points_of, write_ring

DRAWS = np.random.default_rng(3).integers(0, 2**64, 4000, dtype=np.uint64).tolist()


def made(folder, documents: dict[int, int]) -> Ring:
    """A ring of documents, by id, with so many sentences each."""
    folder.mkdir()
    points = np.concatenate([points_of(key, count) for key, count in documents.items()])
    write_ring(folder, points, np.cumsum([0, *documents.values()])[:-1])
    return Ring.open(folder)


def answers(found: Ring, documents: dict[int, int], not_in: int = -1) -> list[tuple[int, int]]:
    """Draw: the document's id, and the sentence of it."""
    keys = list(documents)
    drawn = (found.after(point, keys.index(not_in) if not_in >= 0 else -1) for point in DRAWS)
    return [(keys[document], sentence) for document, sentence in drawn]


def test_a_document_is_drawn_in_proportion_to_its_sentences(tmp_path):
    documents = {11: 1000, 22: 3000, 33: 6000}
    drawn = answers(made(tmp_path / "r", documents), documents)
    counts = Counter(document for document, _ in drawn)
    for document, sentences in documents.items():
        assert counts[document] / len(DRAWS) == pytest.approx(sentences / 10_000, abs=0.04)
        assert all(0 <= sentence < sentences for found, sentence in drawn if found == document)
    assert len(set(drawn)) > 2500


def test_the_order_of_documents_makes_no_difference(tmp_path):
    documents = {11: 10, 22: 30, 33: 60}
    backwards = dict(reversed(documents.items()))
    assert answers(made(tmp_path / "a", documents), documents) == answers(made(tmp_path / "b", backwards), backwards)


def test_a_document_more_takes_only_draws_that_it_is_the_answer_to(tmp_path):
    documents = dict.fromkeys(range(50), 20)
    more = {**documents, 99: 20}
    before, after = answers(made(tmp_path / "a", documents), documents), answers(made(tmp_path / "b", more), more)
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed
    assert {document for document, _ in changed} == {99}


def test_a_document_is_never_its_own_second(tmp_path):
    documents = {11: 90, 22: 10}
    assert {d for d, _ in answers(made(tmp_path / "r", documents), documents, not_in=11)} == {22}


def test_points_are_sorted_a_range_at_a_time(tmp_path, monkeypatch):
    documents = dict.fromkeys(range(30), 50)
    whole = made(tmp_path / "a", documents)
    monkeypatch.setattr(ring, "AT_ONCE", 64)
    parts = made(tmp_path / "b", documents)
    assert np.array_equal(whole.points, parts.points)
    assert np.array_equal(whole.sentences, parts.sentences)
    assert (np.diff(parts.points.astype(object)) > 0).all()
