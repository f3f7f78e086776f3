"""What a worker must have before it begins, and what it says when it has not."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import configuration, save
from transformers import BertForSequenceClassification

from pipelines.ending import call_off, called_off
from pipelines.ground import Ground
from pipelines.worker_error import brought_home
from schemas.checkpoint import Checkpoint
from schemas.errors import ConfigurationError, DataError, ModelError, ResourceError
from schemas.work import WorkLog


@pytest.fixture
def ground(teacher_folder, tmp_path) -> Ground:
    """A job over a cache, a file of rows and a model, begun here."""
    model = shutil.copytree(teacher_folder, tmp_path / "model")
    (tmp_path / "rows.tsv").write_text("a\tb\n")
    log = WorkLog(tmp_path / "cache" / "work" / "teach", "this run")
    log.open()
    return Ground.of(log, [Checkpoint(model)], [tmp_path / "rows.tsv"])


def test_a_worker_that_has_all_may_begin(ground):
    ground.check()


def test_a_folder_of_the_same_name_is_not_the_cache(ground, tmp_path):
    WorkLog(ground.log.folder, "another run").open()
    with pytest.raises(ResourceError, match="to be one folder for the submitter and all workers"):
        ground.check()
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(ResourceError, match="mounted at the same path"):
        ground.check()


def test_a_package_of_another_version_is_named(ground):
    versions = tuple((name, "0.0.0" if name == "transformers" else found) for name, found in ground.versions)
    with pytest.raises(ConfigurationError, match=r"transformers 0\.0\.0 on every worker"):
        replace(ground, versions=versions).check()


def test_a_file_that_a_worker_does_not_see_is_named(ground, tmp_path):
    (tmp_path / "rows.tsv").unlink()
    with pytest.raises(DataError, match=r"rows\.tsv: no such file|rows\.tsv on every worker"):
        ground.check()


def test_a_model_that_is_not_there_or_another_is_named(ground, tmp_path):
    save(BertForSequenceClassification(configuration()), tmp_path / "model")
    with pytest.raises(ModelError, match="another model"):
        ground.check()
    shutil.rmtree(tmp_path / "model")
    with pytest.raises(ModelError, match=r"the model .* on every worker"):
        ground.check()


@pytest.mark.parametrize(
    "said",
    [
        "ModuleNotFoundError: No module named 'pipelines.teach'\n  at java.base/…",
        "AttributeError: Can't get attribute 'TeachStage' on <module 'pipelines.teach' from '…'>",
    ],
)
def test_a_worker_that_cannot_read_its_orders_has_another_package(said):
    error = brought_home(RuntimeError(f"job failed: {said}"))
    assert isinstance(error, ConfigurationError)
    assert "offline-distill" in error.expected


def test_a_worker_without_a_module_of_somebody_else_is_no_affair_of_ours():
    error = RuntimeError("ModuleNotFoundError: No module named 'a_users_recipe'")
    assert brought_home(error) is error


def test_what_goes_on_elsewhere_is_called_off_once_and_only_while_it_goes_on():
    calls: list[str] = []

    def fail() -> None:
        raise OSError("the runner is gone")

    with called_off(lambda: calls.append("job")), called_off(fail):
        call_off()
    call_off()
    assert calls == ["job"]


def test_weights_are_counted_for_the_memory_asked_for(ground, tmp_path: Path):
    assert ground.weights == sum(file.stat().st_size for file in (tmp_path / "model").glob("*.safetensors"))
