"""Repairing: what other configurations wrote is left as it is, and what is made anew has the same bytes."""

import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import cache_hashes, run_yaml
from verbs import distill, good

from schemas.digest import digest


@pytest.fixture(scope="module")
def finished(tmp_path_factory, teacher_folder, masked_language_model_folder) -> Path:
    """A cache of answers in two codecs, of which the configuration names the first."""
    folder = tmp_path_factory.mktemp("repair")
    path = run_yaml(folder, teacher_folder, masked_language_model_folder, "none", augment={"copies": 1})
    good("augment", path)
    good("teach", path, "teach.attention=input")
    good("teach", path, "teach.codec=int8", "teach.attention=scores")
    return path


@pytest.fixture
def path(finished, tmp_path) -> Path:
    shutil.copytree(finished.parent, tmp_path / "copy")
    found = json.loads(finished.read_text()) | {"output": str(tmp_path / "copy/run")}
    (tmp_path / "copy/run.yaml").write_text(json.dumps(found))
    return tmp_path / "copy/run.yaml"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def cache(path: Path) -> Path:
    return path.parent / "run/cache"


def test_what_a_later_version_wrote_is_not_repaired(path):
    (side,) = cache(path).glob("teacher.logits.*/00001.json")
    newer = json.loads(side.read_text()) | {"format": 99}
    newer.pop("digest")
    side.write_text(json.dumps({**newer, "digest": digest(newer)}))
    (side.parent / "manifest.json").unlink()
    before = cache_hashes(cache(path))
    done = distill("verify", path, "--repair")
    assert done.exit_code == 5
    assert "upgrade offline-distill" in done.output
    assert cache_hashes(cache(path)) == before


@pytest.mark.parametrize("pattern", ["teacher.hidden.*.int8/00001-*.arrow", "teacher.hidden.*.f16/00001-*.arrow"])
def test_a_shard_is_made_anew_as_its_manifest_says_whatever_the_codec_of_the_configuration(path, pattern):
    before = cache_hashes(cache(path))
    (bad,) = cache(path).glob(pattern)
    flip(bad)
    assert distill("verify", path).exit_code == 5
    printed = good("verify", path, "--repair", "teach.codec=bf16")
    assert f"removed: {bad.parent.name}: shard 1" in printed
    assert cache_hashes(cache(path)) == before


def test_what_no_teacher_of_the_configuration_wrote_is_left_and_said(path, tmp_path):
    before = cache_hashes(cache(path))
    (bad,) = cache(path).glob("teacher.hidden.*.int8/00001-*.arrow")
    flip(bad)
    done = distill("verify", path, "--repair", "teach.max_length=31")
    assert done.exit_code == 5
    assert bad.name in done.output
    after = cache_hashes(cache(path))
    assert {name for name in before if after.get(name) != before[name]} == {str(bad.relative_to(cache(path)))}


@pytest.mark.parametrize("name", ["rows", "candidates.tinybert"])
@pytest.mark.parametrize("how", ["missing", "truncated"])
@pytest.mark.parametrize("also", [None, "manifest.json", "../cache.json"])
def test_shard_files_of_augment_that_are_not_whole_are_made_anew_and_no_others(path, name, how, also):
    """Also where the manifest is lost, as where an earlier repair was cut short, or the layout."""
    before = cache_hashes(cache(path))
    (bad,) = cache(path).glob(f"{name}/00001-*.arrow")
    bad.unlink() if how == "missing" else os.truncate(bad, 200)
    if also:
        (bad.parent / also).unlink()
    untouched = {each: each.stat().st_mtime_ns for each in cache(path).rglob("*.arrow") if each != bad}
    assert distill("verify", path).exit_code == 5
    printed = good("verify", path, "--repair")
    assert f"removed: {name}: shard 1" in printed
    assert cache_hashes(cache(path)) == before
    assert untouched == {each: each.stat().st_mtime_ns for each in cache(path).rglob("*.arrow") if each != bad}


@pytest.mark.parametrize("name", ["rows", "candidates.tinybert"])
def test_augment_says_what_mends_a_missing_shard_file(path, name):
    before = cache_hashes(cache(path))
    (bad,) = cache(path).glob(f"{name}/00001-*.arrow")
    bad.unlink()
    done = distill("augment", path)
    assert done.exit_code == 5
    assert "distill verify --repair" in done.output
    good("verify", path, "--repair")
    assert cache_hashes(cache(path)) == before


@pytest.mark.parametrize(
    "name", ["cache.json", "teacher.logits.f32/manifest.json", "rows/state.json", "rows/dataset_info.json"]
)
@pytest.mark.parametrize("how", ["lost", "garbled"])
def test_small_documents_are_written_again(path, name, how):
    before = cache_hashes(cache(path))
    document = cache(path) / name
    document.unlink() if how == "lost" else document.write_text("{}")
    done = distill("verify", path)
    assert done.exit_code == 5
    assert name.split("/")[-1] in done.output
    good("verify", path, "--repair")
    assert cache_hashes(cache(path)) == before


def test_lost_weights_are_written_again_and_anyone_may_read_them(path):
    before = cache_hashes(cache(path))
    (weights,) = cache(path).glob("teacher.attention_input.*/attention_input.safetensors")
    (beside,) = weights.parent.glob("00000-*.arrow")
    assert weights.stat().st_mode == beside.stat().st_mode
    weights.unlink()
    assert "attention_input.safetensors" in distill("verify", path).output
    good("verify", path, "--repair")
    assert cache_hashes(cache(path)) == before


def test_answers_of_another_teacher_are_called_stale(path, masked_language_model_folder, tmp_path):
    other = shutil.copytree(json.loads(path.read_text())["teacher"], tmp_path / "other")
    configuration = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(configuration | {"hidden_dropout_prob": 0.3}))
    printed = good("verify", path, f"teacher={other}")
    assert "stale: teacher.logits.f32" in printed
    assert "good: rows" in printed


def test_a_folder_in_the_place_of_a_note_is_named_and_left(path):
    """It may be somebody's: nothing here empties folders."""
    (note,) = cache(path).glob("teacher.logits.f32/00001.json")
    note.unlink()
    note.mkdir()
    for options in ((), ("--repair",)):
        done = distill("verify", path, *options)
        assert done.exit_code == 5
        assert "00001.json: a folder" in done.output
    assert note.is_dir()
    assert (note.parent / "manifest.json").exists()


def test_lost_token_ids_are_found_and_made_anew_and_nobody_is_asked(path):
    before = cache_hashes(cache(path))
    (folder,) = cache(path).glob("tokens.*")
    shutil.rmtree(folder)
    done = distill("verify", path)
    assert done.exit_code == 5
    assert done.output.count(f"{folder.name}: missing") == 1
    answers = {each: each.stat().st_mtime_ns for each in cache(path).glob("teacher.*/*.arrow")}
    good("verify", path, "--repair")
    assert cache_hashes(cache(path)) == before
    assert answers == {each: each.stat().st_mtime_ns for each in cache(path).glob("teacher.*/*.arrow")}


def test_lost_token_ids_of_another_length_are_left_and_said(path):
    (folder,) = cache(path).glob("tokens.*")
    shutil.rmtree(folder)
    done = distill("verify", path, "--repair", "teach.max_length=31")
    assert done.exit_code == 5
    assert f"{folder.name}: missing" in done.output
    assert "run `distill teach`" in done.output


@pytest.mark.parametrize("also", [None, "teacher.logits.f32", "teacher.attention_input.*.f16"])
def test_what_can_be_is_made_anew_beside_a_manifest_that_cannot_be_read(path, also):
    """Whatever else is lost of the groups that were taught together: which ones are asked for decides the bits."""
    before = cache_hashes(cache(path))
    (bad,) = cache(path).glob("teacher.hidden.*.f16/00001-*.arrow")
    flip(bad)
    (unrelated,) = cache(path).glob("teacher.hidden.*.int8/manifest.json")
    unrelated.write_text("{")
    if also:
        (lost,) = cache(path).glob(f"{also}/manifest.json")
        lost.write_text("{")
    done = distill("verify", path, "--repair", "teach.attention=input")
    assert done.exit_code == 5
    assert str(unrelated) in done.output
    assert bad.name not in done.output
    assert f"removed: {bad.parent.name}: shard 1" in done.output
    after = cache_hashes(cache(path))
    assert {name for name in before if after.get(name) != before[name]} == {str(unrelated.relative_to(cache(path)))}
    assert unrelated.read_text() == "{"
