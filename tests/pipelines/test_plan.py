"""What a plan foretells, beside what is then written."""

import random

import pytest
from conftest import BAD, FILLER, GOOD, OTHER, run_yaml, write_tsv
from verbs import good

from pipelines.planner import Planner
from pipelines.run import Run
from schemas.cache import Cache
from schemas.load_configuration import load_configuration

ROWS = 400


def foretold(path, overrides) -> dict[str, float]:
    """The bytes that a plan says of every group of answers, and of the token ids."""
    planner = Planner(Run(load_configuration(path, overrides)))
    planner.plan()
    groups = planner.groups("teacher", planner.asked("teacher"))
    return {"tokens": planner.volume.token_bytes, **{each.name: planner.volume.bytes(each) for each in groups}}


def written(path) -> dict[str, int]:
    """The bytes of the shards of the same groups."""
    manifests = [group.manifest() for group in Cache(path.parent / "run/cache").groups()]
    names = {each.group: "tokens" if each.group.startswith("tokens") else each.group for each in manifests}
    return {names[each.group]: each.bytes for each in manifests}


@pytest.fixture(params=[0, 2], ids=["no copies", "copies"])
def path(request, tmp_path, teacher_folder, masked_language_model_folder, vectors_file):
    """A run over rows of 3 to 28 words, the short ones at the head of the file."""
    models = (teacher_folder, masked_language_model_folder, vectors_file)
    path = run_yaml(tmp_path, *models, augment={"copies": request.param})
    draw = random.Random(7)
    known = [*GOOD, *BAD, *OTHER, *FILLER, "wonderful"]
    lengths = sorted(min(28, max(3, round(draw.lognormvariate(2.2, 0.5)))) for _ in range(ROWS))
    write_tsv(tmp_path / "train.tsv", [(" ".join(draw.choices(known, k=n)), draw.randrange(2)) for n in lengths])
    return path


@pytest.mark.parametrize("codec", ["f16", "int8"])
def test_bytes_are_foretold_from_a_sample_and_known_once_rows_are_tokenised(path, codec):
    overrides = (f"teach.codec={codec}", "teach.attention=scores")
    sampled = foretold(path, overrides)
    assert len(sampled) == 4
    good("augment", path, *overrides)
    of_rows = foretold(path, overrides)
    good("teach", path, *overrides)
    found = {name: size for name, size in written(path).items() if name in sampled}
    known = foretold(path, overrides)
    assert sampled == pytest.approx(found, rel=0.1)
    assert of_rows == pytest.approx(found, rel=0.1)
    assert known == pytest.approx(found, rel=0.02)
