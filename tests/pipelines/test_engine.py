"""What engines are asked for, and what they hold apart."""

import json
from pathlib import Path

import pytest
from conftest import run_yaml
from stages import run_stage
from verbs import distill, good

from pipelines.engine import Engine
from schemas.errors import ConfigurationError, IntegrityError
from schemas.work import Work, WorkLog


def test_the_users_options_win():
    ours = Engine.of(3).pipeline_options().get_all_options()
    assert (ours["runner"], ours["direct_num_workers"]) == ("FnApiRunner", 3)
    assert ours["direct_running_mode"] == "multi_processing"
    assert Engine.of(1).pipeline_options().get_all_options()["direct_running_mode"] == "in_memory"
    theirs = Engine.of(3, ["--runner=PortableRunner"]).pipeline_options().get_all_options()
    assert theirs["runner"] == "PortableRunner"
    more = Engine.of(3, ["--direct_num_workers=5"]).pipeline_options().get_all_options()
    assert (more["runner"], more["direct_num_workers"]) == ("FnApiRunner", 5)


@pytest.mark.parametrize("option", ["--dry_run=True", "--template_location=gs://none/template"])
@pytest.mark.parametrize("runner", ["FnApiRunner", "PortableRunner", "SparkRunner", "FlinkRunner"])
def test_what_would_only_make_a_job_is_refused_where_it_would_run(runner, option):
    with pytest.raises(ConfigurationError, match=f"--runner={runner}"):
        _ = Engine.of(1, [f"--runner={runner}", option]).only_makes
    assert Engine.of(1, ["--runner=dataflow", option]).only_makes


def test_a_repeated_attempt_keeps_the_first_ones_count(tmp_path):
    log = WorkLog(tmp_path, "run")
    log.write(3, Work(asked=5, copied=2), 1.0)
    log.write(3, Work(), 0.1)
    assert [(entry["asked"], entry["copied"]) for entry in log.entries()] == [(5, 2)]
    WorkLog(tmp_path, "later").write(3, Work(asked=1), 1.0)
    assert list(log.entries()) == []


def test_damage_found_by_a_worker_is_an_integrity_error(
    teacher_folder, masked_language_model_folder, vectors_file, tmp_path
):
    path = run_yaml(tmp_path, teacher_folder, masked_language_model_folder, vectors_file)
    good("augment", path)
    shard = next((tmp_path / "run/cache/rows").glob("00001-*.arrow"))
    data = bytearray(shard.read_bytes())
    data[-100] ^= 1
    shard.write_bytes(data)
    done = distill("teach", path)
    assert done.exit_code == IntegrityError.code
    assert shard.name in done.output


def test_threads_of_one_process_share_a_worker_in_turn(
    teacher_folder, masked_language_model_folder, vectors_file, tmp_path
):
    expected = None
    options = ("--direct_num_workers=4", "--direct_running_mode=multi_threading")
    for name, given in (("one", ()), ("threads", options)):
        path = run_yaml(tmp_path / name, teacher_folder, masked_language_model_folder, vectors_file)
        run_stage(str(path), "augment", given)
        manifest = json.loads(Path(tmp_path / name / "run/cache/rows/manifest.json").read_text())
        hashes = [side["hash"] for side in manifest["shards"]]
        expected = expected or hashes
        assert hashes == expected
