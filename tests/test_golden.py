"""Caches that earlier versions wrote are read to the numbers that they were read to then."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import cache_hashes
from golden.make import complete
from golden.reading import answers, read

from pipelines.verify import faults
from schemas.answers import Answers, Status
from schemas.cache import Cache
from schemas.codec import Codec
from schemas.digest import digest
from schemas.errors import NewerFormatError
from schemas.manifest import FORMAT
from schemas.signal import Family

FOLDERS = sorted((Path(__file__).parent / "golden").glob("format-*"))
GROUPS = [(folder, path.parent.name) for folder in FOLDERS for path in sorted(folder.glob("cache/*/manifest.json"))]
NAMES = [f"{folder.name}-{name}" for folder, name in GROUPS]


def test_every_format_has_a_cache():
    assert [folder.name for folder in FOLDERS] == [f"format-{number + 1}" for number in range(FORMAT)]


def test_the_newest_has_every_family_and_codec():
    cache = Cache(FOLDERS[-1] / "cache")
    found = [Answers.of(s) for s in (group.manifest().settings for group in cache.groups()) if "family" in s]
    assert {answers.family for answers in found} == set(Family)
    assert {answers.codec for answers in found} == set(Codec)


def test_what_the_newest_lacks_is_added_and_the_rest_stays(tmp_path):
    """Of the groups that are made, the one left out here has made-up numbers: the same bytes on any machine."""
    folder = shutil.copytree(FOLDERS[-1], tmp_path / "golden")
    name = "teacher.token_logits.f32"
    shutil.rmtree(folder / "cache" / name)
    (folder / "cache" / "teacher.pooled.f32" / "manifest.json").write_text("of an earlier version", encoding="utf-8")
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    del expected[name]
    (folder / "expected.json").write_text(json.dumps(expected), encoding="utf-8")
    before = cache_hashes(folder / "cache")
    complete(folder)
    whole = cache_hashes(FOLDERS[-1] / "cache")
    assert cache_hashes(folder / "cache") == {path: found for path, found in whole.items() if name in path} | before
    assert (folder / "expected.json").read_bytes() == (FOLDERS[-1] / "expected.json").read_bytes()


@pytest.mark.parametrize(("folder", "name"), GROUPS, ids=NAMES)
def test_a_group_says_what_it_said(folder, name):
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))[name]
    cache = Cache(folder / "cache")
    if "family" not in cache.group(name).manifest().settings:
        assert json.loads(json.dumps(read(cache, cache.group(name)))) == expected
        return
    found = answers(cache, cache.group(name))
    assert found.keys() == expected.keys()
    for signal, numbers in found.items():
        np.testing.assert_allclose(numbers, np.array(expected[signal], np.float32), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("folder", "name"), GROUPS, ids=NAMES)
def test_a_group_is_whole(folder, name):
    cache = Cache(folder / "cache")
    group, layout = cache.group(name), cache.layout()
    manifest = group.manifest()
    group.check_weights(manifest)
    assert layout is not None
    assert list(faults(cache, group, manifest, layout.data_set)) == []
    assert group.strangers(manifest) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_rows_without_numbers_keep_their_slots(folder):
    """A row of each shard has scores that only f32 and bf16 have room for."""
    cache = Cache(folder / "cache")
    for codec, expected in (("f32", 0), ("bf16", 0), ("f16", 2), ("int8", 2)):
        group = cache.group(f"teacher.attention.1-2.{codec}")
        tables = [group.read_shard(side) for side in group.manifest().shards]
        states = [state for table in tables for state in table["status"].to_pylist()]
        assert states.count(Status.OVERFLOW) == expected
        assert [len(each) == 0 for table in tables for each in table["attention"]] == [s != Status.KEPT for s in states]


@pytest.mark.parametrize("name", ["cache.json", "rows/manifest.json", "teacher.hidden.0-1-2.f16/manifest.json"])
def test_a_newer_format_is_refused_with_what_to_do(tmp_path, name):
    copy = shutil.copytree(FOLDERS[-1] / "cache", tmp_path / "cache")
    document = json.loads((copy / name).read_text(encoding="utf-8")) | {"format": FORMAT + 1}
    document["digest"] = digest({key: value for key, value in document.items() if key != "digest"})
    (copy / name).write_text(json.dumps(document), encoding="utf-8")
    cache = Cache(copy)
    with pytest.raises(NewerFormatError, match=f"format {FORMAT + 1}") as caught:
        cache.layout() if name == "cache.json" else cache.group(Path(name).parent.name).manifest()
    assert "upgrade" in caught.value.remedy


@pytest.mark.parametrize("change", [{"family": "values"}, {"codec": "int4"}])
def test_what_a_later_version_added_is_refused_with_what_to_do(change):
    settings = Cache(FOLDERS[-1] / "cache").group("teacher.hidden.0-1-2.f16").manifest().settings
    with pytest.raises(NewerFormatError, match=next(iter(change.values()))) as caught:
        Answers.of(settings | change)
    assert "upgrade" in caught.value.remedy
