"""Rows of small corpora: they fit, they are parts of their documents, and only text, settings and seed count."""

import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from conftest import SPECIAL, tokenizer
from corpora import configuration, make_rows, some_documents, write_text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from pipelines.corpus.rows import RowMaker
from pipelines.corpus.store import Store
from pipelines.corpus.units import Cutter
from schemas.digest import digest
from schemas.errors import DataError

DOCUMENTS = some_documents(30)
TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("ab ë\u0308中 .!?\n'0"), min_size=1, max_size=120
)


def byte_level() -> PreTrainedTokenizerFast:
    """A tokenizer like RoBERTa's: a word has other pieces at the beginning of a text than inside."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    text = ["\n".join(lines) for lines in DOCUMENTS]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    # Special tokens as in the other tokenizer, two between the texts of a pair.
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(text, trainer)
    ids = [(name, backend.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] [SEP] $B [SEP]", special_tokens=ids
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


@pytest.fixture(scope="module", params=["wordpiece", "byte_level"])
def cutter(request, tmp_path_factory) -> Cutter:
    folder = tmp_path_factory.mktemp("tokenizer")
    (tokenizer() if request.param == "wordpiece" else byte_level()).save_pretrained(folder)
    found = Cutter.load(folder)
    assert found.words_stand_alone == (request.param == "wordpiece")
    return found


@pytest.fixture(scope="module")
def wordpiece(tmp_path_factory) -> Cutter:
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer().save_pretrained(folder)
    return Cutter.load(folder)


def rows_of(folder: Path, cutter: Cutter, *paths: Path, limit: int | None = None, **corpus) -> list:
    return make_rows(folder / "store", configuration(*paths, **corpus), cutter, limit)


def ids_of(found: list) -> str:
    """Return what all rows are, in no order, with repetitions."""
    return digest(sorted((row.id, row.count) for row, _ in found))


@pytest.mark.parametrize("segments", ["pairs", "single"])
@pytest.mark.parametrize("mask", [0.0, 0.2])
def test_rows_fit_and_are_parts_of_their_documents(tmp_path, cutter, segments, mask):
    path = write_text(tmp_path / "wiki.txt", DOCUMENTS)
    found = rows_of(tmp_path, cutter, path, segments=segments, mask=mask)
    texts = [" ".join(lines) for lines in DOCUMENTS]
    assert len(found) > 60
    lengths = [len(each.ids) for each in cutter.encode([row.texts for row, _ in found])]
    assert max(lengths) <= 24
    assert sum(length >= 20 for length in lengths) > len(lengths) / 3
    for row, _ in found:
        assert len(row.texts) == (2 if segments == "pairs" else 1)
        assert all(text == "." or any(text in document for document in texts) for text in row.texts)
        assert row.label is None
        assert row.is_original
        assert bool(row.masks) == bool(mask)
        for change in row.masks:
            assert row.texts[change.text][change.start : change.end] == change.original


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXT, min_size=2, max_size=4, unique=True), pieces=st.integers(8, 20), paired=st.booleans())
def test_rows_of_any_text_fit(tmp_path_factory, cutter, texts, pieces, paired):
    folder = tmp_path_factory.mktemp("any")
    lines = [json.dumps({"text": text}) for text in texts]
    (folder / "any.jsonl").write_text("\n".join(lines), encoding="utf-8")
    found = configuration(folder / "any.jsonl", pieces=pieces, segments="pairs" if paired else "single")
    found = found.model_copy(update={"data": found.data.model_copy(update={"on_bad_row": "reject"})})
    # Blank texts are rejected, and documents of the same sentences are one.
    try:
        rows = make_rows(folder / "store", found, cutter)
    except DataError:
        return
    assert all(len(each.ids) <= pieces for each in cutter.encode([row.texts for row, _ in rows]))


def test_a_row_is_found_again_by_its_numbers(tmp_path, wordpiece):
    found = configuration(write_text(tmp_path / "wiki.txt", DOCUMENTS), mask=0.2)
    made = make_rows(tmp_path / "store", found, wordpiece)
    again = RowMaker("wiki", Store(tmp_path / "store"), wordpiece, found.corpus, found.seed)
    assert [again.row(located) for _, located in made] == [row for row, _ in made]


def test_order_format_and_files_make_no_difference(tmp_path, wordpiece):
    whole = ids_of(rows_of(tmp_path / "whole", wordpiece, write_text(tmp_path / "wiki.txt", DOCUMENTS), mask=0.1))
    shuffled = random.Random(3).sample(DOCUMENTS, len(DOCUMENTS))
    (tmp_path / "parts").mkdir()
    write_text(tmp_path / "parts/a.txt", shuffled[:10])
    zipped = write_text(tmp_path / "b.txt", shuffled[10:])
    (tmp_path / "parts/b.txt.gz").write_bytes(gzip.compress(zipped.read_bytes()))
    texts = ["\n".join(lines) for lines in shuffled]
    (tmp_path / "wiki.jsonl").write_text("\n".join(json.dumps({"text": text, "id": 1}) for text in texts))
    parquet.write_table(pa.table({"text": texts}), tmp_path / "wiki.parquet")
    for number, paths in enumerate(
        [
            [write_text(tmp_path / "shuffled.txt", shuffled)],
            [tmp_path / "parts"],
            [tmp_path / "parts/*.gz", tmp_path / "parts/a.txt"],
            [tmp_path / "wiki.jsonl"],
            [tmp_path / "wiki.parquet"],
        ]
    ):
        assert ids_of(rows_of(tmp_path / str(number), wordpiece, *paths, mask=0.1)) == whole


def test_a_document_more_changes_no_row_that_does_not_draw_from_it(tmp_path, wordpiece):
    new = ["wonderful director picture ."] * 3
    before = rows_of(tmp_path / "a", wordpiece, write_text(tmp_path / "a.txt", DOCUMENTS))
    after = rows_of(tmp_path / "b", wordpiece, write_text(tmp_path / "b.txt", [new, *DOCUMENTS]))
    kept = {row.id for row, _ in before} & {row.id for row, _ in after}
    lost = [row for row, _ in before if row.id not in kept]
    added = [located for row, located in after if row.id not in kept]
    assert len(kept) > 0.9 * len({row.id for row, _ in before})
    assert len(lost) < len(added)
    # The new document is the first, and stands in every new row as its first or second text.
    assert all(0 in (located[0], located[3]) for located in added)


def test_single_segments_depend_on_their_document_alone(tmp_path, wordpiece):
    one = rows_of(tmp_path / "a", wordpiece, write_text(tmp_path / "a.txt", DOCUMENTS[:1]), segments="single")
    every = rows_of(tmp_path / "b", wordpiece, write_text(tmp_path / "b.txt", DOCUMENTS), segments="single")
    assert {row.id for row, _ in one} <= {row.id for row, _ in every}


@pytest.mark.parametrize("changed", [{"passes": 3}, {"mask": 0.1}, {"mask": 0.2}, {"short": 0.9}, {"pieces": 16}])
def test_settings_change_rows(tmp_path, wordpiece, changed):
    path = write_text(tmp_path / "wiki.txt", DOCUMENTS)
    plain = {row.id for row, _ in rows_of(tmp_path / "a", wordpiece, path)}
    other = {row.id for row, _ in rows_of(tmp_path / "b", wordpiece, path, **changed)}
    assert plain != other
    if "passes" in changed:
        assert plain < other


def test_a_document_read_twice_counts_twice(tmp_path, wordpiece):
    once = rows_of(tmp_path / "a", wordpiece, write_text(tmp_path / "a.txt", DOCUMENTS))
    twice = rows_of(tmp_path / "b", wordpiece, write_text(tmp_path / "b.txt", [*DOCUMENTS, DOCUMENTS[3]]))
    assert [row.id for row, _ in once] == [row.id for row, _ in twice]
    assert sum(row.count for row, _ in twice) > sum(row.count for row, _ in once)


def test_the_first_documents(tmp_path, wordpiece):
    path, few = write_text(tmp_path / "a.txt", DOCUMENTS), write_text(tmp_path / "b.txt", DOCUMENTS[:7])
    limited = rows_of(tmp_path / "a", wordpiece, path, limit=7)
    assert ids_of(limited) == ids_of(rows_of(tmp_path / "b", wordpiece, few))
