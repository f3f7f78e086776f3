"""Quality: shares against plain examples, whatever the order and wherever the shards are cut."""

import json
import random
from collections.abc import Mapping
from itertools import count, islice

import numpy as np
import pyarrow as pa
import pytest
from conftest import sentences
from hypothesis import given, settings
from hypothesis import strategies as some

from augment import candidates
from augment.candidates import NONE, Position, Positions
from pipelines import quality as module
from pipelines.families import Family, Member
from pipelines.quality import Uniqueness, quality, quality_of
from schemas import rows
from schemas.cache import Cache, shard_of
from schemas.example import MASK, Change, Example
from schemas.task import Kind, Task

TASK = Task(texts=("text",), labels=("bad", "good"))
MODEL, VECTORS = "masked_language_model", "vectors"


class Known:
    """Positions in memory, by strategy and original."""

    def __init__(self, known: Mapping[tuple[str, int], Positions]) -> None:
        self.known = known

    def positions(self, strategy: str, origin: int) -> Positions:
        return self.known.get((strategy, origin), ())


def position(text: str, word: str, source: str) -> Position:
    start = text.index(word)
    return Position(0, start, start + len(word), source, () if source == NONE else ("other",))


def replaced(text: str, new: str, was: str, source: str) -> Change:
    start = text.index(new)
    return Change(0, start, start + len(new), was, source)


ONE = Example.original("test", ("a fine film",), 1)
TWO = Example.original("test", ("a dull plot",), 0)


def copy(original: Example, text: str, *changes: Change, strategy: str = "tinybert", draw: int = 0) -> Example:
    return original.copy((text,), strategy=strategy, draw=draw, changes=changes)


def member(example: Example, *logits: float) -> Member:
    return Member(example, np.array(logits, np.float32) if logits else None)


FAMILIES: list[Family] = [
    (
        member(ONE, 0, 1),
        member(copy(ONE, "a good film", replaced("a good film", "good", "fine", MODEL)), 0, 1),
        member(
            copy(
                ONE,
                "a good movie",
                replaced("a good movie", "good", "fine", MODEL),
                replaced("a good movie", "movie", "film", VECTORS),
                draw=1,
            ),
            1,
            0,
        ),
    ),
    (member(TWO, 1, 0), member(copy(TWO, "a grim plot", replaced("a grim plot", "grim", "dull", MODEL)))),
]
PROPOSED = Known(
    {
        ("tinybert", ONE.id): (position("a fine film", "fine", MODEL), position("a fine film", "film", VECTORS)),
        ("tinybert", TWO.id): (position("a dull plot", "dull", MODEL), position("a dull plot", "plot", NONE)),
    }
)
ACCOUNTING = {"trials": 6, "repeated": 1, "dissimilar": 0, "near_ties": 2, "kept": 2}


def test_every_number_by_hand():
    found = quality(FAMILIES, PROPOSED, TASK, ACCOUNTING)
    assert found is not None
    assert (found["originals"], found["copies"], found["yield"]) == (2, 3, 1 / 2)
    assert (found["repeated"], found["dissimilar"], found["near_ties"]) == (1, 0, 2)
    assert found["unique"] == 1
    # Of two, two and one words with candidates one, two and one were replaced; one more had none.
    assert found["change_rate"] == 4 / 5
    assert found["positions"] == {MODEL: 3 / 6, VECTORS: 1 / 6, "unchanged": 1 / 6, "no_candidates": 1 / 6}
    assert found["differing_words"] == 4 / 9
    assert found["replaced"] == {MODEL: 3, VECTORS: 1}
    assert (found["teacher"]["compared"], found["teacher"]["flips"]) == (2, 1 / 2)
    assert found["distinct"]["originals"] == [5 / 6, 1]
    assert found["distinct"]["sample"] == 2
    # "a good film" and "a good movie": two of three words, (1 + 1) / (2 + 1) pairs, (0 + 1) / (1 + 1) threes.
    assert found["self_bleu"]["mean"] == pytest.approx((2 / 3 * 2 / 3 * 1 / 2) ** (1 / 3))
    assert found["substitutions"][0] == {"original": "fine", "new": "good", "source": MODEL, "count": 2}
    assert found["strategies"] == {}
    json.dumps(found, allow_nan=False)


def test_without_copies_there_is_nothing_to_say():
    assert quality([(member(ONE, 0, 1),)], PROPOSED, TASK, {}) is None


def test_strategies_stand_beside_each_other():
    cut = copy(ONE, "film", Change(0, 0, 0, "a fine ", "n_gram"), strategy="tang")
    masked = copy(ONE, "a fine film", replaced("a fine film", "fine", "fine", MASK), strategy="tang", draw=1)
    family = (*FAMILIES[0], member(cut, 0, 1), member(masked, 0, 1))
    found = quality([family, FAMILIES[1]], PROPOSED, TASK, {}, strategies=2)
    assert found is not None
    tang, tinybert = found["strategies"]["tang"], found["strategies"]["tinybert"]
    assert (tang["copies"], tinybert["copies"], found["copies"]) == (2, 3, 5)
    # Two words were cut away beside the one that is left, one of three was masked.
    assert tang["differing_words"] == 3 / 6
    assert (tang["change_rate"], tang["positions"]) == (None, {}), "rules keep no candidates"
    assert found["yield"] is None, "nobody counted trials"
    assert tinybert["change_rate"] == found["change_rate"] == 4 / 5
    assert tang["teacher"]["flips"] == 0


def test_of_a_pair_only_the_text_that_was_changed_counts():
    pair = Example.original("test", ("a fine film", "a dull plot"), 1)
    made = pair.copy(
        ("a fine film", "a grim plot"), strategy="tinybert", draw=1, changes=(Change(1, 2, 6, "dull", MODEL),)
    )
    positions = tuple(Position(text, 2, 6, MODEL, ("grim",)) for text in (0, 1))
    task = Task(texts=("a", "b"), labels=("bad", "good"))
    found = quality([(member(pair), member(made))], Known({("tinybert", pair.id): positions}), task, {})
    assert found is not None
    assert found["change_rate"] == 1
    assert found["differing_words"] == 1 / 6
    assert found["teacher"]["flips"] is None


@settings(max_examples=20)
@given(some.randoms())
def test_the_order_of_families_changes_nothing(draw):
    families = many(60)
    shuffled = families.copy()
    draw.shuffle(shuffled)
    one, other = (quality(each, Known({}), TASK, {}, strategies=2) for each in (families, shuffled))
    assert flat(one) == pytest.approx(flat(other))


def test_a_sample_is_that_of_the_smallest_ids(monkeypatch):
    families = sorted(many(60), key=lambda family: family[0].example.id)
    monkeypatch.setattr(module, "SAMPLE", 10)
    one, other = (quality(each, Known({}), TASK, {}) for each in (families, families[::-1]))
    assert flat(one) == pytest.approx(flat(other))
    few = quality([family for family in families if len(family) > 1][:10], Known({}), TASK, {})
    assert one is not None
    assert few is not None
    for name in ("distinct", "self_bleu", "substitutions"):
        assert one[name] == few[name]
    assert one["copies"] != few["copies"]


def test_more_texts_than_fit_are_judged_by_a_sample(monkeypatch):
    monkeypatch.setattr(module, "DIGESTS", 64)
    found = Uniqueness()
    for number in range(4000):
        found.add(Example.original("test", (f"text {number % 1000}",)))
    assert len(found.digests) <= 64
    assert found.share() == 1 / 4


def many(number: int) -> list[Family]:
    """Families of none to three copies, of two strategies, judged and not."""
    draw = random.Random(number)
    found: list[Family] = []
    for text, label in sentences(number):
        original = Example.original("test", (text,), label)
        word = text.split()[1]
        copies = []
        for trial, strategy in islice(zip(count(), ("tinybert", "tang", "tinybert"), strict=False), draw.randrange(4)):
            new = text.replace(word, f"{word}{trial}", 1)
            copies.append(copy(original, new, replaced(new, f"{word}{trial}", word, "own"), strategy=strategy))
        numbers = [(draw.random(), draw.random()) if draw.random() < 0.9 else () for _ in range(1 + len(copies))]
        found.append(tuple(member(row, *each) for row, each in zip((original, *copies), numbers, strict=True)))
    return found


def flat(value: object, path: str = "") -> dict[str, object]:
    """Every number of a report by its path."""
    if isinstance(value, dict):
        return {name: each for key, part in value.items() for name, each in flat(part, f"{path}.{key}").items()}
    if isinstance(value, list):
        return {name: each for key, part in enumerate(value) for name, each in flat(part, f"{path}.{key}").items()}
    return {path: value}


@pytest.mark.parametrize("shards", [1, 4, 8])
def test_the_number_of_shards_changes_nothing(tmp_path, shards):
    expected = written(tmp_path / "one", 4)
    assert expected is not None
    assert expected["change_rate"] is not None
    found = written(tmp_path / "other", shards)
    assert found is not None
    assert (found.pop("input") == expected.pop("input")) == (shards == 4)
    assert flat(found) == pytest.approx(flat(expected))


def test_what_is_known_is_not_counted_again(tmp_path):
    found = written(tmp_path, 2)
    assert found is not None
    known = {**found, "copies": -1}
    assert quality_of(Cache(tmp_path), TASK, None, known) == known
    assert quality_of(Cache(tmp_path), TASK, None, {**known, "input": "another"}) == found


def written(folder, shards: int) -> dict | None:
    """The quality of a cache of so many shards."""
    cache = Cache(folder)
    cache.choose_layout("test", 40, shards)
    every = [[each.example for each in family] for family in many(40)]
    for name, schema in ((rows.NAME, rows.schema(pa.int32())), (candidates.name("tinybert"), candidates.SCHEMA)):
        group = cache.group(name)
        for shard in range(shards):
            own = [family for family in every if shard_of(family[0].id, shards) == shard]
            with group.writer(shard, schema) as writer:
                if name == rows.NAME:
                    mine = sorted((each for family in own for each in family), key=lambda each: each.order)
                    batch = rows.to_batch(mine, pa.int32())
                else:
                    originals = sorted((family[0] for family in own), key=lambda each: each.order)
                    batch = candidates.to_batch([each.id for each in originals], [eligible(each) for each in originals])
                writer.write(batch)
                made = sum(len(family) - 1 for family in own)
                writer.commit(settings="0" * 32, input="0" * 32, accounting={"copies": made, "trials": 3 * len(own)})
        group.publish_manifest({"proposing": {"strategy": ["tinybert", "tang"]}}, shards)
    return quality_of(cache, TASK, None)


def eligible(example: Example) -> Positions:
    """Every word, every other with candidates."""
    found, at = [], 0
    for number, word in enumerate(example.texts[0].split()):
        start = example.texts[0].index(word, at)
        at = start + len(word)
        source = NONE if number % 2 == 0 else "own"
        found.append(Position(0, start, at, source, () if number % 2 == 0 else ("x",), ()))
    return tuple(found)


def test_numbers_have_no_verdicts():
    found = quality(
        [(member(ONE, 2.0), member(copy(ONE, "a film"), 1.5))],
        Known({}),
        Task(kind=Kind.REGRESSION, texts=("text",)),
        {},
    )
    assert found is not None
    assert (found["teacher"]["flips"], found["teacher"]["difference"]) == (None, 0.5)
