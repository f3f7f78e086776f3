"""Runners that take no job."""

import pytest
from conftest import run_yaml
from stages import run_stage

from schemas.errors import ConfigurationError, ResourceError


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
