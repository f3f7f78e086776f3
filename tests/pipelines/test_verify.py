"""Verifying a cache, mending it, and asking its teacher again."""

import json
import re
import shutil

import numpy as np
import pytest
from conftest import cache_hashes, run_yaml
from verbs import distill, good

from distill.encoder import Encoder
from distill.needs import teacher_groups
from distill.tokens import Tokenizer
from schemas import rows
from schemas.cache import Cache
from schemas.codec import Kept
from schemas.digest import digest
from schemas.signal import TEACHER

GROUPS = ["rows", "candidates.tinybert", "tokens.*", "teacher.logits.f32", "teacher.hidden.*", "teacher.attention*"]


@pytest.fixture(scope="module")
def taught(teacher_folder, masked_language_model_folder, vectors_file, tmp_path_factory):
    """A run up to its cache, with every form of keeping; copy it, do not change it."""
    folder = tmp_path_factory.mktemp("taught")
    teach = {"codec": "int8", "attention": "input", "embedding": "compute"}
    path = run_yaml(folder, teacher_folder, masked_language_model_folder, vectors_file, teach=teach)
    good("augment", path)
    good("teach", path)
    return folder


@pytest.fixture
def copy(taught, tmp_path):
    """A run that may be changed."""
    folder = shutil.copytree(taught, tmp_path / "copy")
    text = (folder / "run.yaml").read_text().replace(str(taught), str(folder))
    (folder / "run.yaml").write_text(text)
    return folder


def rewrite(path, changes) -> None:
    """Change keys of a document, and its digest with them."""
    document = json.loads(path.read_text()) | changes
    document.pop("digest")
    path.write_text(json.dumps({**document, "digest": digest(document)}))


def newer_family(group) -> None:
    settings = json.loads((group / "manifest.json").read_text())["settings"]
    rewrite(group / "manifest.json", {"settings": settings | {"family": "values"}})


def newer_manifest(group) -> None:
    rewrite(group / "manifest.json", {"format": 99})


def newer_shard(group) -> None:
    """As a later version leaves it that was stopped: a shard of its own, and the manifest as it was."""
    rewrite(group / "00001.json", {"format": 99})
    (group / f"00001-{'0' * 32}.arrow").touch()


def flip(path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", GROUPS)
def test_a_damaged_shard_is_made_anew_and_nothing_else(copy, name):
    before = cache_hashes(copy / "run/cache")
    (shard,) = (copy / "run/cache").glob(f"{name}/00001-*.arrow")
    flip(shard)
    done = distill("verify", copy / "run.yaml")
    assert done.exit_code == 5
    assert shard.name in done.output
    untouched = {p: p.stat().st_mtime_ns for p in (copy / "run/cache").rglob("0000[023]-*.arrow")}
    printed = good("verify", copy / "run.yaml", "--repair")
    assert f"removed: {shard.parent.name}: shard 1" in printed
    assert cache_hashes(copy / "run/cache") == before
    assert untouched == {p: p.stat().st_mtime_ns for p in (copy / "run/cache").rglob("0000[023]-*.arrow")}
    assert "nothing to repair" in good("verify", copy / "run.yaml", "--repair")


NEWER = [(newer_manifest, "rows"), (newer_shard, "tokens.*"), (newer_manifest, "tokens.*")]
NEWER += [(make, "teacher.attention_input.*") for make in (newer_family, newer_manifest, newer_shard)]


@pytest.mark.parametrize(("make", "name"), NEWER)
def test_a_group_of_a_later_version_is_named_and_left_and_the_others_are_checked(copy, make, name):
    (group,) = (copy / "run/cache").glob(name)
    make(group)
    before = cache_hashes(copy / "run/cache")
    done = distill("verify", copy / "run.yaml")
    assert done.exit_code == 5
    assert done.output.count("newer: ") == 1
    assert f"newer: {group.name}: " in done.output
    assert f"found: {group.name}: " in done.output
    assert "upgrade offline-distill" in done.output
    others = {path.parent.name for path in (copy / "run/cache").glob("*/manifest.json")} - {group.name}
    assert all(f"good: {other}: " in done.output for other in others), done.output
    (bad,) = (copy / "run/cache").glob("teacher.logits.f32/00000-*.arrow")
    kept = bad.read_bytes()
    flip(bad)
    assert bad.name in distill("verify", copy / "run.yaml").output
    done = distill("verify", copy / "run.yaml", "--repair")
    assert done.exit_code == 5
    assert f"found: {group.name}: " in done.output
    bad.write_bytes(kept)
    assert cache_hashes(copy / "run/cache") == before


@pytest.mark.parametrize("lost", ["00001.json", "manifest.json"])
def test_lost_and_broken_notes_are_made_anew(copy, lost):
    before = cache_hashes(copy / "run/cache")
    (path,) = (copy / "run/cache").glob(f"teacher.hidden.*/{lost}")
    path.unlink() if lost != "manifest.json" else path.write_text("{")
    assert distill("verify", copy / "run.yaml").exit_code == 5
    good("verify", copy / "run.yaml", "--repair")
    assert cache_hashes(copy / "run/cache") == before


def test_damaged_weights_are_found_and_made_anew(copy):
    before = cache_hashes(copy / "run/cache")
    (path,) = (copy / "run/cache").glob("*/attention_input.safetensors")
    flip(path)
    done = distill("verify", copy / "run.yaml")
    assert done.exit_code == 5
    assert path.name in done.output
    good("verify", copy / "run.yaml", "--repair")
    assert cache_hashes(copy / "run/cache") == before


def test_files_of_others_are_named_and_left(copy):
    notes, stray = copy / "run/cache/rows/notes.txt", copy / "run/cache/rows/00009.json"
    notes.write_text("mine")
    stray.write_text("{}")
    done = distill("verify", copy / "run.yaml", "--repair")
    assert done.exit_code == 5
    assert "notes.txt: in no manifest" in done.output
    assert notes.exists()
    assert not stray.exists()


def test_ids_that_are_not_those_of_their_texts_are_found(copy):
    """A shard whose texts were permuted against their ids, with notes that say it is whole."""
    group = Cache(copy / "run/cache").group(rows.NAME)
    manifest = group.manifest()
    side = manifest.shards[0]
    table = group.read_shard(side)
    swapped = table.set_column(2, table.schema.field("texts"), table.column("texts").take(np.arange(len(table))[::-1]))
    with group.writer(0, table.schema) as writer:
        for batch in swapped.combine_chunks().to_batches():
            writer.write(batch)
        writer.commit(settings=side.settings, input=side.input, accounting=side.accounting)
    group.publish_manifest(manifest.settings, len(manifest.shards))
    done = distill("verify", copy / "run.yaml")
    assert done.exit_code == 5
    assert "row 0: id " in done.output


def test_the_teacher_still_says_what_the_cache_holds(copy):
    printed = good("verify", copy / "run.yaml", "--live", 6)
    assert len([line for line in printed.splitlines() if line.startswith("live: teacher.")]) == 3


def test_another_answer_than_the_teachers_is_found(copy):
    cache = Cache(copy / "run/cache")
    manifest, answers = next(pair for pair in teacher_groups(cache, TEACHER) if pair[1].family == "hidden")
    group = cache.group(answers.name)
    for side in manifest.shards:
        table = group.read_shard(side)
        numbers = [row.values.to_numpy() for row in table.column("hidden")]
        scales = [row.values.to_numpy() for row in table.column("scales")]
        other = [Kept(-each, scale) for each, scale in zip(numbers, scales, strict=True)]
        with group.writer(side.shard, answers.schema) as writer:
            writer.write(answers.to_batch(table.column("id").to_numpy(), table.column("status").to_pylist(), other))
            writer.commit(settings=side.settings, input=side.input, accounting=side.accounting)
    group.publish_manifest(manifest.settings, len(manifest.shards))
    good("verify", copy / "run.yaml")
    done = distill("verify", copy / "run.yaml", "--live", 3)
    assert done.exit_code == 5
    assert f"{answers.name}: shard" in done.output
    (seed,) = set(re.findall(r"\(seed (\d+)\)", done.output))
    again = distill("verify", copy / "run.yaml", "--live", 3, "--seed", seed)
    assert again.output == done.output


def test_a_teacher_that_never_answered_is_not_loaded_to_be_asked_again(copy, monkeypatch):
    monkeypatch.delattr(Encoder, "load_accelerated")
    monkeypatch.delattr(Tokenizer, "load")
    done = distill("verify", copy / "run.yaml", "teach.max_length=20", "--live", 3)
    assert done.exit_code == 5
    assert "answers of this teacher" in done.output


def test_manifests_say_what_their_codecs_cost(copy):
    for path in (copy / "run/cache").glob("teacher.*/manifest.json"):
        errors = [side["errors"] for side in json.loads(path.read_text())["shards"]]
        assert all(errors) if path.parent.name.endswith(".int8") else not any(errors)
