"""What a plan foretells, beside what is then written."""

import random

import pytest
from conftest import BAD, FILLER, GOOD, OTHER, TAGGING, run_yaml, tagged, write_conll, write_tsv
from verbs import good

from distill.teach import ShardTeacher
from distill.teacher import CachedTeacher
from pipelines import calibration as calibration_module
from pipelines.calibration import Calibration, Costs
from pipelines.planner import Planner
from pipelines.run import Run
from schemas.cache import Cache
from schemas.codec import Codec
from schemas.load_configuration import load_configuration
from schemas.signal import Family

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
    # What is there is not to be written again for the sake of another codec.
    planner = Planner(Run(load_configuration(path, ("teach.codec=bf16", "teach.attention=scores"))))
    (teach,) = (line for line in planner.plan().lines if line.stage == "teach")
    groups = planner.groups("teacher", planner.asked("teacher"))
    assert teach.bytes == sum(planner.volume.bytes(each) for each in groups if each.codec is Codec.BF16)


def test_bytes_of_token_ids_are_foretold_where_words_are_judged(
    tmp_path, token_teacher_folder, masked_language_model_folder, vectors_file
):
    path = run_yaml(
        tmp_path,
        token_teacher_folder,
        masked_language_model_folder,
        vectors_file,
        task=TAGGING,
        data={split: str(tmp_path / f"{split}.conll") for split in ("train", "dev", "test")},
        augment={"copies": 0},
    )
    every = tagged(460)
    write_conll(tmp_path / "train.conll", every[60:])
    for split in ("dev", "test"):
        write_conll(tmp_path / f"{split}.conll", every[:60])
    sampled = foretold(path, ())
    good("augment", path)
    of_rows = foretold(path, ())
    good("teach", path)
    found = written(path)["tokens"]
    assert [sampled["tokens"], of_rows["tokens"]] == pytest.approx([found, found], rel=0.1)
    assert foretold(path, ())["tokens"] == pytest.approx(found, rel=0.02)


LEFT_OUT = ("teach.longer=leave", "teach.max_length=12", "teach.max_failed=1", "teach.attention=scores")


def test_rows_that_are_left_out_as_too_long_are_neither_bytes_nor_time_and_are_said(path):
    overrides = (*LEFT_OUT, "teach.codec=int8")
    sampled = foretold(path, overrides)
    good("augment", path, *overrides)
    of_rows = foretold(path, overrides)
    good("teach", path, *overrides)
    found = {name: size for name, size in written(path).items() if name in sampled}
    accounting = Cache(path.parent / "run/cache").group("teacher.logits.f32").manifest().accounting
    assert 0.2 < accounting["too_long"] / accounting["rows"] < 0.8
    planner = Planner(Run(load_configuration(path, overrides)))
    assert planner.volume.share * planner.volume.left_out == accounting["too_long"]
    assert planner.volume.asked_tokens == planner.volume.tokens - 12 * accounting["too_long"]
    assert "teach.max_failed" not in good("plan", path, *overrides)
    assert "more than teach.max_failed=0.01 allows" in good("plan", path, *overrides, "teach.max_failed=0.01")
    assert f"rows but for about {accounting['too_long']:,} that are too long" in planner.teaching("teacher").work
    assert sampled == pytest.approx(found, rel=0.1)
    assert of_rows == pytest.approx(found, rel=0.1)
    assert foretold(path, overrides) == pytest.approx(found, rel=0.02)


def test_the_time_of_teaching_is_that_of_the_rows_that_are_asked(path, monkeypatch):
    monkeypatch.setattr(Calibration, "costs", lambda *_: Costs(1.0, 0.0))
    planner = Planner(Run(load_configuration(path, LEFT_OUT)))
    (line,) = (line for line in planner.plan().lines if line.stage == "teach")
    seconds = (line.seconds - planner.calibration.loading_seconds) * planner.workers
    assert seconds == pytest.approx(planner.volume.asked_tokens)
    rows, tokens = planner.calibration.middling
    assert tokens < 12 * len(rows)


def test_where_all_rows_are_too_long_there_is_nothing_to_ask(path):
    planner = Planner(Run(load_configuration(path, (*LEFT_OUT[:1], "teach.max_length=3"))))
    planner.plan()
    assert planner.volume.asked_tokens == 0
    assert planner.calibration.costs([], [], set(), {}) == (0, 0)


def test_what_is_timed_is_what_teaching_and_training_do(path, monkeypatch):
    """Groups with all that is taken from the teacher once, those that are there left as they are, and the reader."""
    overrides = ("teach.codec=int8", "teach.attention=input", "teach.embedding=compute")
    planner = Planner(Run(load_configuration(path, overrides)))
    calibration, identity, signals = planner.calibration, planner.identity("teacher"), planner.asked("teacher")
    groups = planner.groups("teacher", signals)
    left = [answers for answers in groups if answers.family != Family.HIDDEN]
    assert len(groups) == 4
    assert len(left) == 3
    taught, timing, read = [], [], []

    def teach(teacher, side, plainly=ShardTeacher.teach):
        taught.append((bool(timing), teacher.groups))
        return plainly(teacher, side)

    def answer(teacher, batch, signals, plainly=CachedTeacher.answer):
        read.append((bool(timing), signals))
        return plainly(teacher, batch, signals)

    def timed(work):
        timing.append(work)
        result = work()
        timing.clear()
        return 1.0, result

    monkeypatch.setattr(ShardTeacher, "teach", teach)
    monkeypatch.setattr(CachedTeacher, "answer", answer)
    monkeypatch.setattr(calibration_module, "timed", timed)
    costs = calibration.costs(groups, left, signals, identity)
    assert costs.teaching > 0
    assert costs.reading > 0
    assert [(timed, len(some)) for timed, some in taught] == [(False, 1), (True, 4)]
    assert not any(answers.wants_affine or answers.wants_weights for _, some in taught for answers in some)
    assert any(timed for timed, _ in read)
    assert all(some == signals for _, some in read)
