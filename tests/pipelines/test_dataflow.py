"""Jobs for Dataflow are made here, whole, as far as that goes without the service: none has been run on it."""

import json
import re
import sys
from pathlib import Path

import pytest
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2 as proto
from conftest import run_yaml
from stages import run_stage
from verbs import good

from pipelines.ending import NotRun

pytest.importorskip("apitools", reason="the packages of Google's services are not installed")
ROOT = Path(__file__).parents[2]
IMAGE = "registry.example/offline-distill:1"
CARD = "type:a-card;count:1;install-driver"
OPTIONS = (
    "--runner=DataflowRunner",
    "--project=none",
    "--region=nowhere",
    "--temp_location=gs://none/temp",
    "--staging_location=gs://none/staging",
    f"--sdk_container_image={IMAGE}",
    "--sdk_location=container",
    "--number_of_worker_harness_threads=1",
    "--experiments=no_use_multiple_sdk_containers",
)


@pytest.fixture
def staged(monkeypatch) -> dict[str, bytes]:
    """Stand in for the account and the bucket; return what would have been put there, by name."""
    import google.auth
    from apache_beam.options.pipeline_options import GoogleCloudOptions
    from apache_beam.runners.dataflow.internal import apiclient
    from google.auth.credentials import AnonymousCredentials

    files: dict[str, bytes] = {}

    def stage(self, folder, name, stream, **options):
        files[name] = Path(stream).read_bytes() if isinstance(stream, str) else stream.read()

    monkeypatch.setattr(google.auth, "default", lambda *_, **__: (AnonymousCredentials(), "none"))
    monkeypatch.setattr(GoogleCloudOptions, "_handle_temp_and_staging_locations", lambda *_: [])
    monkeypatch.setattr(apiclient.DataflowApplicationClient, "stage_file", stage)
    monkeypatch.setattr(apiclient.DataflowApplicationClient, "stage_file_with_retry", stage)
    return files


@pytest.fixture(scope="module")
def run(teacher_folder, masked_language_model_folder, vectors_file, tmp_path_factory) -> Path:
    """A run whose rows are there."""
    folder = tmp_path_factory.mktemp("dataflow")
    card = {"count": 1, "accelerator": CARD}
    path = run_yaml(folder, teacher_folder, masked_language_model_folder, vectors_file, workers=card)
    good("augment", path)
    return path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("stage", "shuffles"), [("augment", 1), ("teach", 0)])
def test_a_template_says_all_that_the_service_needs(run, staged, stage, shuffles):
    with pytest.raises(NotRun, match=f"{stage}: the job was made and not run"):
        run_stage(str(run), stage, (*OPTIONS, f"--template_location={run.parent / stage}.json"))
    pipeline = proto.Pipeline.FromString(staged["pipeline.pb"])
    environments = pipeline.components.environments.values()
    assert {proto.DockerPayload.FromString(each.payload).container_image for each in environments} == {IMAGE}
    hints = [each.resource_hints for each in environments if each.resource_hints]
    assert [each[common_urns.resource_hints.ACCELERATOR.urn] for each in hints] == [CARD.encode()]
    kinds = [each.spec.urn for each in pipeline.components.transforms.values()]
    # A Reshuffle has one of its own.
    assert kinds.count(common_urns.primitives.GROUP_BY_KEY.urn) == shuffles + 1
    assert kinds.count(common_urns.composites.RESHUFFLE.urn) == 1
    # The image has the package, so nothing of ours is staged, and no main session.
    assert set(staged) == {"pipeline.pb", "submission_environment_dependencies.txt", f"{stage}.json"}
    job = json.loads(staged[f"{stage}.json"])
    (pool,) = (each for each in job["environment"]["workerPools"] if each["kind"] == "harness")
    assert IMAGE in {each["containerImage"] for each in pool["sdkHarnessContainerImages"]}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("stage", ["augment", "teach"])
def test_a_dry_run_ends_before_the_service(run, staged, stage):
    with pytest.raises(NotRun):
        run_stage(str(run), stage, (*OPTIONS, "--dry_run=True"))
    assert staged == {}


def test_the_image_fits_what_is_installed_here():
    text = (ROOT / "Dockerfile").read_text()
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    assert arguments["BEAM"] == pinned["apache-beam"]
    assert arguments["PYTHON"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    copied = set(re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE))
    names = {name for each in copied for name in each.split()}
    assert all((ROOT / name).exists() for name in names)
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks"}
    assert packages <= names, "every package of ours is in the image"
    kept = set((ROOT / ".dockerignore").read_text().splitlines())
    assert all(f"!{name}" in kept for name in names), "what is copied must not be ignored"
    assert 'ENTRYPOINT ["/opt/apache/beam/boot"]' in text
    assert re.search(r"^COPY --from=beam /opt/apache/beam /opt/apache/beam$", text, re.MULTILINE)
