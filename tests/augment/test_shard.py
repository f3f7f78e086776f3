from collections import Counter

import pyarrow as pa
import pytest
from conftest import originals

from augment.candidates import Position
from augment.draw import Drawing
from augment.eligibility import Eligibility
from augment.models.masked_language_model import MaskedLanguageModel
from augment.models.similarity import Similarity
from augment.shard import Proposing, ShardAugmenter
from augment.strategies.evolving import Evolving
from augment.strategies.tang import Tang
from augment.strategies.tinybert import TinyBert
from schemas import rows
from schemas.cache import Cache
from schemas.errors import ConfigurationError
from schemas.example import Example


class Near(Similarity):
    """Keeps every other copy."""

    def near(self, original, copies):
        return [place % 2 == 0 for place in range(len(copies))]


class Same:
    """Draws the same copies under any name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def propose(self, examples):
        return [(Position(0, 0, 1, "vectors", ("x", "y", "z"), (0.0,) * 3),) for _ in examples]

    def grow(self, examples, positions):
        return Drawing(copies=30, probability=1.0).draw(examples, positions, self.name)


def written(cache: Cache, augmenter: ShardAugmenter, read: list[Example]) -> tuple[list[Example], dict[str, int]]:
    augmenter.augment(0, read)
    side = cache.group(rows.NAME).committed(0)
    assert side is not None
    return list(rows.examples(cache.group(rows.NAME).read_shard(side))), side.accounting


@pytest.fixture(scope="module")
def strategies(masked_language_model_folder) -> dict:
    base = TinyBert(MaskedLanguageModel.load(masked_language_model_folder, 1), None, drawing=Drawing(copies=4), top=3)
    tang = Tang(eligibility=Eligibility(), copies=4, seed=0, mask=0.3, part_of_speech=0.0, n_gram=0.3)
    return {"tinybert": base, "evolving": Evolving(base), "tang": tang}


@pytest.mark.parametrize("names", [["tinybert"], ["evolving"], ["tang"], ["tinybert", "evolving", "tang"]])
@pytest.mark.parametrize("texts", [[], ["", "!?", "..."]])
def test_a_shard_in_which_nothing_can_be_grown_is_written(tmp_path, strategies, names, texts):
    proposing = [Proposing(strategies[name], f"candidates.{name}", {}) for name in names]
    for settings, similarity in (({}, None), ({"near": 1}, Near(None, None, 0.5))):
        cache = Cache(tmp_path / str(len(settings)))
        read = [Example.original("test", (text,), 1) for text in texts]
        augmenter = ShardAugmenter(cache, pa.int32(), proposing, settings, similarity)
        found, counts = written(cache, augmenter, read)
        assert found == sorted(read, key=lambda example: example.order)
        assert (counts["kept"], counts["merged"], counts["copies"]) == (len(texts), 0, 0)


def test_of_copies_that_read_alike_the_first_strategys_is_kept(tmp_path):
    read = [Example.original("test", (text,), 1) for text in ("a film", "b film")]
    proposing = [Proposing(Same(name), f"candidates.{name}", {}) for name in ("one", "two")]
    cache = Cache(tmp_path)
    found, counts = written(cache, ShardAugmenter(cache, pa.int32(), proposing, {}), read)
    assert {(example.strategy, example.texts[0][0]) for example in found} == {
        *(("", letter) for letter in "ab"),
        *(("one", letter) for letter in "xyz"),
    }
    assert (counts["copies"], counts["repeated"]) == (6, 6)


def test_copies_that_are_too_far_are_left_out_and_counted(tmp_path):
    read = originals(5)
    proposing = [Proposing(Same("one"), "candidates.one", {})]
    cache = Cache(tmp_path)
    found, counts = written(cache, ShardAugmenter(cache, pa.int32(), proposing, {}, Near(None, None, 0.5)), read)
    assert (counts["copies"], counts["dissimilar"]) == (10, 5)
    assert found == sorted(found, key=lambda example: example.order)
    assert len(found) == 15


@pytest.mark.parametrize(
    ("texts", "origin", "problem"),
    [
        ([("a film",)], None, "the row itself"),
        ([("x film",), ("x film",)], None, "a copy twice"),
        ([("x", "film")], None, "another number of texts"),
        ([("x film",)], 7, "of no row"),
    ],
)
def test_copies_that_should_not_have_been_made_are_refused(tmp_path, texts, origin, problem):
    class Wrong(Same):
        def grow(self, examples, positions):
            made = [examples[0].copy(each, strategy="wrong", draw=i, changes=()) for i, each in enumerate(texts)]
            yield rows.copies_to_batch([each._replace(origin=origin or each.origin) for each in made]), Counter()

    augmenter = ShardAugmenter(Cache(tmp_path), pa.int32(), [Proposing(Wrong("w"), "candidates.own.wrong", {})], {})
    with pytest.raises(ConfigurationError, match=f"own.wrong: {problem}"):
        augmenter.augment(0, [Example.original("test", ("a film",), 1)])


def test_identical_rows_are_one_with_a_count(tmp_path):
    one, other = (Example.original("test", (text,), 1) for text in ("a film", "b film"))
    cache = Cache(tmp_path)
    found, counts = written(cache, ShardAugmenter(cache, pa.int32(), [], {}), [one, other, one])
    assert {example.texts[0]: example.count for example in found} == {"a film": 2, "b film": 1}
    assert (counts["kept"], counts["merged"]) == (2, 1)
