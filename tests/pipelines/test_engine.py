"""What engines bring home, and what they hold apart."""

import json
import logging
from pathlib import Path

import pytest
from conftest import run_yaml
from stages import run_stage
from verbs import distill, good

with pytest.MonkeyPatch.context() as quiet:
    quiet.setattr(logging, "warning", lambda *_: None)
    import apache_beam as beam

from pipelines.engine import Engine, brought_home, errors_sent_home
from schemas.errors import KINDS, ConfigurationError, IntegrityError, ResourceError
from schemas.work import Work, WorkLog


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_comes_home_as_it_was(kind):
    sent = kind('a {brace} and a "quote"', "line one\nline two", "do this")

    class Raise(beam.DoFn):
        def process(self, element):
            with errors_sent_home():
                raise sent

    pipeline = beam.Pipeline(runner="FnApiRunner")
    _ = pipeline | beam.Create([1]) | beam.ParDo(Raise())
    with pytest.raises(Exception, match="offline-distill-error") as caught:
        pipeline.run()
    found = brought_home(caught.value)
    assert type(found) is kind
    assert str(found) == str(sent)


def test_an_error_of_another_kind_stays_itself():
    error = RuntimeError("something else")
    assert brought_home(error) is error


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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--runner=PortableRunner", "--job_endpoint=localhost:1"], "a job server at localhost:1"),
        (["--runner=PortableRunner", "--job_endpoint=localhost:99999"], "a job server at localhost:99999"),
        (["--runner=SparkRunner", "--spark_job_server_jar=/none.jar"], "a job that SparkRunner takes"),
        (["--runner=FlinkRunner", "--flink_job_server_jar=/none.jar"], "a job that FlinkRunner takes"),
    ],
)
def test_a_job_that_nobody_takes_is_refused(
    options, said, teacher_folder, masked_language_model_folder, vectors_file, tmp_path
):
    path = run_yaml(tmp_path, teacher_folder, masked_language_model_folder, vectors_file)
    with pytest.raises((ConfigurationError, ResourceError), match=said):
        run_stage(str(path), "augment", tuple(options))


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
