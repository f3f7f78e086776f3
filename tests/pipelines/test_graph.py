"""What the pipelines are made of, as any runner is told."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2 as proto
from conftest import run_yaml
from verbs import good

with pytest.MonkeyPatch.context() as quiet:
    quiet.setattr(logging, "warning", lambda *_: None)
    import apache_beam as beam

from pipelines.augment import ReadRows, augment_shards
from pipelines.augment import make_stage as augment_stage
from pipelines.read import scan
from pipelines.teach import TeachStage, teach_shards
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.load_configuration import load_configuration
from schemas.signal import TEACHER

ALLOWED = {
    common_urns.primitives.IMPULSE.urn,
    common_urns.primitives.PAR_DO.urn,
    common_urns.primitives.GROUP_BY_KEY.urn,
    common_urns.primitives.FLATTEN.urn,
    common_urns.composites.RESHUFFLE.urn,
}
ELSEWHERE = ["--runner=PortableRunner", "--job_endpoint=nowhere:1"]
DATAFLOW = ["--runner=DataflowRunner", "--project=none", "--region=nowhere"]
DATAFLOW += [f"--{place}_location=gs://none/none" for place in ("temp", "staging")]
RAM = common_urns.resource_hints.MIN_RAM_BYTES.urn
ACCELERATOR = common_urns.resource_hints.ACCELERATOR.urn
CARD = "type:a-card;count:1"


@pytest.fixture(scope="module")
def graphs(teacher_folder, masked_language_model_folder, vectors_file, tmp_path_factory):
    """Return what builds the two pipelines of a run."""
    path = run_yaml(tmp_path_factory.mktemp("graph"), teacher_folder, masked_language_model_folder, vectors_file)
    good("augment", path)
    configuration = load_configuration(path)
    cache = Cache(configuration.cache_path)
    growing = augment_stage(configuration, cache)
    reading = ReadRows(configuration, scan(configuration, None, None), None, 4, growing.ground)
    ground = type(growing.ground).of(growing.ground.log, [Checkpoint(teacher_folder)])
    teaching = TeachStage(
        TEACHER, cache.path, teacher_folder, configuration.task, configuration.teach, 1, (), {}, False, ground, None
    )
    sides = cache.group("rows").manifest().shards
    return {
        "augment": lambda pipeline, card=None: augment_shards(pipeline, reading, 4, replace(growing, accelerator=card)),
        "teach": lambda pipeline, card=None: teach_shards(pipeline, sides, replace(teaching, accelerator=card)),
    }


def told(build: Callable, options: list[str]) -> proto.Pipeline:
    """Return a pipeline as a runner gets it."""
    pipeline = beam.Pipeline(options=PipelineOptions(options))
    build(pipeline)
    return pipeline.to_runner_api()


def steps(pipeline: proto.Pipeline) -> list[proto.PTransform]:
    """Return the steps that a runner knows by their kind; what a Reshuffle consists of is its affair."""
    transforms = pipeline.components.transforms
    found, left = [], list(pipeline.root_transform_ids)
    while left:
        each = transforms[left.pop()]
        if each.spec.urn not in ALLOWED and each.subtransforms:
            left += each.subtransforms
        elif set(each.outputs.values()) - set(each.inputs.values()):
            # What gives back what it was given is no step: runners leave it out.
            found.append(each)
    return found


@pytest.mark.parametrize(("stage", "shuffles"), [("augment", 1), ("teach", 0)])
def test_a_graph_is_of_few_kinds_of_steps_with_one_shuffle_of_rows_at_most(graphs, stage, shuffles):
    kinds = Counter(each.spec.urn for each in steps(told(graphs[stage], ELSEWHERE)))
    assert set(kinds) <= ALLOWED
    assert kinds[common_urns.primitives.GROUP_BY_KEY.urn] == shuffles
    # What is reshuffled are names of shards, and in `augment` rows that the one shuffle has brought together.
    assert kinds[common_urns.composites.RESHUFFLE.urn] == 1


@pytest.mark.parametrize("stage", ["augment", "teach"])
def test_no_step_has_a_second_output_or_a_side_input(graphs, stage):
    pipeline = told(graphs[stage], ELSEWHERE)
    for step in steps(pipeline):
        assert len(step.outputs) <= 1
        if step.spec.urn == common_urns.primitives.PAR_DO.urn:
            assert not proto.ParDoPayload.FromString(step.spec.payload).side_inputs


def test_what_flows_together_is_coded_alike(graphs):
    pipeline = told(graphs["augment"], ELSEWHERE)
    coders = {name: each.coder_id for name, each in pipeline.components.pcollections.items()}
    (flatten,) = (each for each in steps(pipeline) if each.spec.urn == common_urns.primitives.FLATTEN.urn)
    assert len(flatten.inputs) == 2
    assert len({coders[each] for each in [*flatten.inputs.values(), *flatten.outputs.values()]}) == 1


@pytest.mark.parametrize(("stage", "name"), [("augment", "write"), ("teach", "ParDo(ShardFunction)")])
def test_the_step_with_models_says_what_its_machine_should_have(graphs, stage, name, monkeypatch):
    # Beam would ask Google for the bucket, and wait minutes for an answer where there is no network.
    monkeypatch.setattr(GoogleCloudOptions, "_handle_temp_and_staging_locations", lambda *_: [])
    pipeline = told(lambda started: graphs[stage](started, CARD), DATAFLOW)
    environments = pipeline.components.environments
    hinted = [each for each in steps(pipeline) if environments[each.environment_id].resource_hints]
    assert [each.unique_name.split("/")[0] for each in hinted] == [name]
    hints = environments[hinted[0].environment_id].resource_hints
    assert hints[ACCELERATOR] == CARD.encode()
    assert int(hints[RAM]) >= 2 * 2**30


@pytest.mark.parametrize("stage", ["augment", "teach"])
def test_runners_that_choose_no_machines_start_no_process_for_hints(graphs, stage):
    assert len(told(graphs[stage], ELSEWHERE).components.environments) == 1
