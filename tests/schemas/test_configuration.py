from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.configuration import Augmentation, Configuration
from schemas.errors import ConfigurationError
from schemas.load_configuration import load_configuration

GOOD = """\
name: sst2
task:
  texts: [sentence]
  label: label
  labels: [negative, positive]
data:
  train: train.tsv
teacher: models/teacher
train:
  learning_rate: 3e-4
"""


def load(folder: Path, text: str = GOOD, *overrides: str) -> Configuration:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return load_configuration(path, overrides)


def refused(folder: Path, text: str = GOOD, *overrides: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text, *overrides)
    assert caught.value.code == 2
    return caught.value


def test_values_have_the_types_they_look_like(tmp_path):
    found = load(tmp_path, GOOD.replace("negative, positive", "no, yes"))
    assert found.train.learning_rate == 3e-4
    assert found.task.labels == ("no", "yes")
    assert found.data.train == ("train.tsv",)
    assert found.data.dev is None
    assert found.augment.copies == 0
    assert found.output_path == Path("runs/sst2")
    assert found.cache_path == Path("runs/sst2/cache")


def test_a_boolean_is_no_label(tmp_path):
    assert "labels" in refused(tmp_path, GOOD.replace("negative, positive", "false, true")).found


@pytest.mark.parametrize(
    ("old", "new", "line", "suggestion"),
    [
        ("  learning_rate", "  learning_rat", 10, "did you mean `train.learning_rate`?"),
        ("  texts", "  text", 3, "did you mean `task.texts`?"),
        ("teacher:", "techer:", 8, "did you mean `teacher`?"),
        ("  label: label", "  zzz: label", 4, "remove `task.zzz`"),
    ],
)
def test_an_unknown_key_is_named_with_its_line_and_the_nearest(tmp_path, old, new, line, suggestion):
    error = refused(tmp_path, GOOD.replace(old, new))
    assert f"run.yaml:{line}: " in error.found
    assert "unknown key" in error.found
    assert suggestion in error.remedy


def test_a_missing_key_is_named(tmp_path):
    error = refused(tmp_path, GOOD.replace("teacher: models/teacher\n", ""))
    assert "teacher: missing" in error.found


def test_all_mistakes_are_named_at_once(tmp_path):
    error = refused(tmp_path, GOOD.replace("  label:", "  lable:").replace("3e-4", "-1").replace("train.tsv", "[]"))
    for part in ("run.yaml:4: task.lable", "run.yaml:7: data.train", "run.yaml:10: train.learning_rate"):
        assert part in error.found


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (GOOD + "name: other\n", 11, "duplicate key"),
        (GOOD + "seed: !!python/object/apply:os.system [true]\n", 11, "tag"),
        (GOOD + "seed: &anchor 1\nshards: *anchor\n", 12, "alias"),
        (GOOD + "output: [\n", None, ""),
        (GOOD + "\tseed: 1\n", None, ""),
        ("just text\n", 1, ""),
        ("- a\n- b\n", 1, ""),
        ("", 1, ""),
    ],
)
def test_what_is_no_plain_yaml_is_refused_by_line(tmp_path, text, line, problem):
    error = refused(tmp_path, text)
    assert problem in error.found
    assert "run.yaml:" in error.found
    assert line is None or f"run.yaml:{line}: " in error.found


def test_aliases_cannot_blow_up(tmp_path):
    text = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
    )
    assert "alias" in refused(tmp_path, text).found


def test_overrides_win_and_are_yaml(tmp_path):
    found = load(tmp_path, GOOD, "train.learning_rate=1e-5", "data.train=[a, b]", "seed=7", "task.labels=[no, yes]")
    assert (found.train.learning_rate, found.data.train, found.seed) == (1e-5, ("a", "b"), 7)
    assert found.task.labels == ("no", "yes")
    assert load(tmp_path, GOOD, "workers.count=2").workers.count == 2


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("augment.copys=1", "did you mean `augment.copies`?"),
        ("seed", "augment.copies=10"),
        ("=1", "augment.copies=10"),
        ("teacher.x=1", "correct the key"),
        ("seed=-1", "correct `seed`"),
        ("seed=[", ""),
        ("seed=!!int 3", ""),
    ],
)
def test_a_wrong_override_is_named(tmp_path, override, part):
    error = refused(tmp_path, GOOD, override)
    assert f"`{override}`" in error.found
    assert part in error.remedy


def test_copies_need_a_model(tmp_path):
    error = refused(tmp_path, GOOD + "augment:\n  copies: 5\n")
    assert "masked_language_model" in error.expected
    assert "run.yaml:11" in error.found
    assert load(tmp_path, GOOD + "augment:\n  masked_language_model: bert\n").augment.copies == 20


def test_what_candidates_do_not_depend_on_is_left_out_of_their_digest(tmp_path):
    """Everything else is in it, so that a new key is never forgotten."""
    known = set(Augmentation.model_fields)
    drawing = {"copies", "probability", "drop", "keep_case", "longest_distance"}
    named = {"masked_language_model", "vectors", "stop_words", "similarity"}
    configuration = load(tmp_path, GOOD + "augment:\n  masked_language_model: bert\n")
    assert set(configuration.proposing) == known - drawing - named | {"threads"}
    assert drawing < set(configuration.drawing)


@pytest.mark.parametrize("pattern", ["[", "(?P<x", "*"])
def test_a_pattern_must_compile(tmp_path, pattern):
    text = GOOD + f"augment:\n  copies: 0\n  protect:\n    pattern: '{pattern}'\n"
    error = refused(tmp_path, text)
    assert "run.yaml:14" in error.found
    assert "regular expression" in error.expected


@pytest.mark.parametrize("budget", ["twenty", "20 XB", "-5GB", "[1]", ".inf", "''"])
def test_a_budget_that_is_no_size_is_refused_with_an_example(tmp_path, budget):
    error = refused(tmp_path, GOOD + f"teach:\n  budget: {budget}\n")
    assert "run.yaml:12: teach.budget: " in error.found
    assert "20GB" in error.expected
    assert "correct `teach.budget`" in error.remedy
    assert load(tmp_path, GOOD + "teach:\n  budget: 20 GB\n").teach.budget == 20 * 10**9


@pytest.mark.parametrize("shards", ["3", "0", "-2", "x", "1.5"])
def test_shards_are_a_power_of_two(tmp_path, shards):
    assert "shards" in refused(tmp_path, GOOD + f"shards: {shards}\n").found


@pytest.mark.parametrize("name", ["../up", "", ".hidden", "a/b", "a b"])
def test_a_name_is_a_file_name(tmp_path, name):
    assert "name" in refused(tmp_path, GOOD.replace("sst2", f'"{name}"')).found


def test_a_missing_file_suggests_the_nearest(tmp_path):
    load(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(tmp_path / "rum.yaml")
    assert "run.yaml" in caught.value.remedy
    with pytest.raises(ConfigurationError, match="distill init"):
        load_configuration(tmp_path / "elsewhere" / "x.yaml")


def test_huge_and_binary_files_are_refused(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_bytes(b"a" * 2_000_000)
    with pytest.raises(ConfigurationError, match="more"):
        load_configuration(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load_configuration(path)


def test_finetune_names_a_base(tmp_path):
    assert load(tmp_path).base_teacher is None
    assert load(tmp_path, GOOD, "teacher=finetune bert-base").base_teacher == "bert-base"


def test_a_limited_run_has_folders_of_its_own(tmp_path):
    found = load(tmp_path)
    assert found.limited(None) is found
    assert found.limited(9).output_path == Path("runs/sst2.limit-9")
    assert found.limited(9).cache_path == Path("runs/sst2.limit-9/cache")
    assert load(tmp_path, GOOD, "cache=/c").limited(9).cache_path == Path("/c.limit-9")


@given(st.text(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_no_text_is_anything_but_a_configuration_or_refused(tmp_path, text):
    with suppress(ConfigurationError):
        load(tmp_path, GOOD + text)


@given(st.text(max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_no_override_is_anything_but_a_value_or_refused(tmp_path, text):
    for override in (f"seed={text}", f"train.dials={text}", text):
        with suppress(ConfigurationError):
            load(tmp_path, GOOD, override)


def test_one_character_parts_fields(tmp_path):
    assert load(tmp_path, GOOD.replace("train.tsv", 'train.csv\n  delimiter: ";"')).data.delimiter == ";"
    for wrong in ("", ";;", '\\"', "\\n"):
        error = refused(tmp_path, GOOD.replace("train.tsv", f'train.csv\n  delimiter: "{wrong}"'))
        assert "one character" in error.expected
