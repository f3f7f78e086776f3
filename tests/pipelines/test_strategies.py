"""Strategies from a file of rows to a cache: what they depend on, and what they do not."""

import json
from pathlib import Path

import pytest
from conftest import run_yaml
from verbs import distill, good

from pipelines.families import families
from schemas.cache import Cache
from schemas.example import MASK, Example

STRATEGIES = "augment.strategy=[tinybert,evolving,tang]"


@pytest.fixture
def path(teacher_folder, masked_language_model_folder, vectors_file, tmp_path) -> Path:
    return run_yaml(tmp_path, teacher_folder, masked_language_model_folder, vectors_file, rows=40)


def grown(path: Path, *keys: str, output: str = "run") -> dict[Example, list[Example]]:
    """Augment, and return every original with its copies."""
    good("augment", path, f"output={path.parent / output}", *keys)
    found = families(Cache(path.parent / output / "cache"), None)
    return {family[0].example: [member.example for member in family[1:]] for family in found}


def without(path: Path, keep: slice) -> None:
    """Leave only some of the training rows."""
    file = path.parent / "train.tsv"
    header, *lines = file.read_text().splitlines()
    file.write_text("\n".join([header, *lines[keep]]) + "\n")


def notes(path: Path) -> dict[str, int]:
    return json.loads((path.parent / "run/run.json").read_text())["stages"]["augment"]


def test_a_row_has_the_same_copies_alone_and_in_company(path):
    whole = grown(path, STRATEGIES)
    assert {copy.strategy for copies in whole.values() for copy in copies} == {"tinybert", "evolving", "tang"}
    without(path, slice(0, 20))
    half = grown(path, STRATEGIES, "shards=2", output="half")
    assert len(half) == 20
    assert half == {original: whole[original] for original in half}


def test_a_set_that_grows_asks_for_new_rows_only(path):
    whole = grown(path, STRATEGIES, "shards=4")
    (path.parent / "run/cache").rename(path.parent / "whole")
    text = (path.parent / "train.tsv").read_text()
    without(path, slice(0, 15))
    grown(path, STRATEGIES, "shards=4")
    (path.parent / "train.tsv").write_text(text)
    assert grown(path, STRATEGIES, "shards=4") == whole
    assert notes(path)["asked"] == 3 * 25
    assert notes(path)["copied"] == 3 * 15


@pytest.mark.parametrize(
    "key",
    ["augment.copies=9", "augment.probability=0.7", "seed=5", "augment.drop=[original]", "augment.keep_case=true",
     "augment.longest_distance=0.5"],
)  # fmt: skip
def test_what_is_drawn_asks_no_model(path, key):
    before = grown(path)
    after = grown(path, key)
    assert after != before
    assert notes(path)["asked"] == 0


@pytest.mark.parametrize("key", ["stop_words=none", "protect={words: [film]}", "context=single"])
def test_what_is_proposed_asks_again(path, key):
    before = grown(path)
    assert grown(path, f"augment.{key}") != before
    assert notes(path)["asked"] == 40


def test_another_strategy_leaves_candidates_alone(path):
    grown(path)
    both = grown(path, "augment.strategy=[tinybert,tang]")
    assert notes(path)["asked"] == 40, "tang alone is new"
    assert {copy.strategy for copies in both.values() for copy in copies} == {"tinybert", "tang"}
    grown(path, "augment.strategy=[tinybert,tang]", "augment.dials={tang: {mask: 0.3}}")
    assert notes(path)["asked"] == 40, "what tang depends on is nothing to tinybert"


def test_copies_read_alike_by_several_strategies_are_kept_once(path):
    counts = json.loads
    good("augment", path, "augment.strategy=[tinybert,evolving]", "augment.copies=20")
    manifest = counts((path.parent / "run/cache/rows/manifest.json").read_text())
    assert sum(shard["accounting"]["repeated"] for shard in manifest["shards"]) > 0
    for family in families(Cache(path.parent / "run/cache"), None):
        texts = [member.example.texts for member in family]
        assert len(set(texts)) == len(texts)


def test_masks_reach_teacher_and_student(path):
    keys = ("augment.strategy=tang", "augment.dials={tang: {mask: 0.3, n_gram: 0.0}}")
    good("run", path, *keys)
    masked = [
        m.example for family in families(Cache(path.parent / "run/cache"), None) for m in family if m.example.masks
    ]
    assert masked
    assert {change.source for copy in masked for change in copy.changes} == {MASK}
    (group,) = [each for each in Cache(path.parent / "run/cache").groups() if each.name.startswith("tokens")]
    tables = [group.read_shard(side) for side in group.manifest().shards]
    assert sum(len(row) for table in tables for row in table.column("masked_positions").to_pylist()) > 0


def test_copies_too_far_from_their_original_are_left_out(path, masked_language_model_folder):
    near = f"augment.similarity={{model: {masked_language_model_folder}, least: 0.97}}"
    every, some = grown(path), grown(path, near)
    assert 0 < sum(map(len, some.values())) < sum(map(len, every.values()))
    for original, copies in some.items():
        assert {copy.id for copy in copies} <= {copy.id for copy in every[original]}
    manifest = json.loads((path.parent / "run/cache/rows/manifest.json").read_text())
    assert sum(shard["accounting"]["dissimilar"] for shard in manifest["shards"]) > 0


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("augment.strategy=tinybrt", "augment.strategy: `tinybrt`"),
        ("augment.dials={tinybert: {p: 1}}", "augment.dials.tinybert: `p`"),
        ("augment.stop_words=nowhere.txt", "augment.stop_words: nowhere.txt"),
        ("augment.dials={tang: {mask: 0.1}}", "augment.dials: `tang`"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "augment"])
def test_a_mistake_is_refused_before_work(path, verb, key, found):
    done = distill(verb, path, key)
    assert done.exit_code == 2, done.output
    assert found in done.output
    assert not (path.parent / "run/cache/rows").exists()
