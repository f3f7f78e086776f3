from dataclasses import replace

import pytest
import torch

from distill.layer_map import layer_map, uniform
from distill.losses import cross_entropy, kl_divergence, mse, soft_cross_entropy, squared_error
from distill.recipe import Recipe, Stage, Term, from_teacher, label, load_recipe, recipe_names
from distill.shape import ModelShape
from schemas.errors import ConfigurationError
from schemas.signal import Family, hidden, logits
from schemas.task import Kind

STUDENT = ModelShape(layers=4, width=312, heads=12, vocabulary=30522, classes=2)
TEACHER = ModelShape(layers=12, width=768, heads=12, vocabulary=30522, classes=2)
REGRESSION = ModelShape(layers=4, width=312, heads=12, vocabulary=30522, classes=1)


def test_the_folder_is_the_list():
    assert {"finetune", "hinton", "tinybert", "tinybert_general"} <= set(recipe_names())


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("student", [STUDENT, REGRESSION])
def test_every_recipe_of_the_folder_builds(name, student):
    recipe = load_recipe(name, student, TEACHER, {})
    assert recipe.stages
    for stage in recipe.stages:
        assert stage.terms
        assert all(column.teacher == "teacher" for column in stage.columns)


def test_needs_are_computed_from_terms():
    recipe = load_recipe("tinybert", STUDENT, TEACHER, {})
    assert sorted(map(str, recipe.columns)) == sorted(
        [f"teacher.hidden.{n}" for n in (0, 3, 6, 9, 12)]
        + [f"teacher.attention.{n}" for n in (3, 6, 9, 12)]
        + ["teacher.logits"]
    )
    assert {str(column) for column in recipe.stages[1].columns} == {"teacher.logits"}
    assert not load_recipe("finetune", STUDENT, TEACHER, {}).columns


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("uniform", ((1, 3), (2, 6), (3, 9), (4, 12))),
        ("top", ((1, 9), (2, 10), (3, 11), (4, 12))),
        ("bottom", ((1, 1), (2, 2), (3, 3), (4, 4))),
        ("last", ((4, 12),)),
        ("skip", ((1, 3), (2, 6), (3, 9))),
        ("1-2 4-12", ((1, 2), (4, 12))),
    ],
)
def test_layer_maps(name, pairs):
    assert layer_map(name, 4, 12) == pairs


def test_uniform_where_the_depths_do_not_divide():
    assert uniform(5, 12) == ((1, 2), (2, 4), (3, 7), (4, 9), (5, 12))


@pytest.mark.parametrize("name", ["middle", "1-13", "5-1", "1", ""])
def test_impossible_layer_maps_are_refused_with_the_names(name):
    with pytest.raises(ConfigurationError, match="uniform, last, skip, top, bottom"):
        layer_map(name, 4, 12)


def test_a_deeper_student_is_refused():
    with pytest.raises(ConfigurationError, match="13 blocks"):
        layer_map("uniform", 13, 12)


def test_other_heads_are_refused():
    with pytest.raises(ConfigurationError, match="student with 6"):
        load_recipe("tinybert", ModelShape(4, 312, 6, 30522, 2), TEACHER, {})


@pytest.mark.parametrize(("name", "answers"), [("tinybert", ["teacher.logits"]), ("tinybert_general", [])])
def test_attention_can_be_left_out(name, answers):
    narrow = replace(STUDENT, heads=6)
    recipe = load_recipe(name, narrow, TEACHER, {"attention": False})
    assert sorted(map(str, recipe.columns)) == sorted([f"teacher.hidden.{n}" for n in (0, 3, 6, 9, 12)] + answers)
    whole = load_recipe(name, STUDENT, TEACHER, {})
    for left, every in zip(recipe.stages, whole.stages, strict=True):
        kept = [term for term in every.terms if term.student.family is not Family.ATTENTION]
        assert [(t.name, t.weight, t.project) for t in left.terms] == [(t.name, t.weight, t.project) for t in kept]
        assert (left.epochs, left.learning_rate, left.schedule) == (every.epochs, every.learning_rate, every.schedule)


def test_unknown_names_and_dials_are_refused():
    with pytest.raises(ConfigurationError, match="finetune, hinton, tinybert"):
        load_recipe("tinybrt", STUDENT, TEACHER, {})
    with pytest.raises(ConfigurationError, match="temprature"):
        load_recipe("hinton", STUDENT, TEACHER, {"temprature": 2})
    with pytest.raises(ConfigurationError, match="no_such_module"):
        load_recipe("no_such_module.recipe", STUDENT, TEACHER, {})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mine", "not a module in a package"),
        (".mine", "not a module in a package"),
        ("", "not a module in a package"),
        ("mine.py", "a file"),
        ("./recipes/mine.py", "a file"),
        ("recipes/mine", "a file"),
        ("mine.kd", "No module named 'mine'"),
    ],
)
def test_what_names_no_recipe_is_told_why_and_what_would(name, why):
    with pytest.raises(ConfigurationError) as caught:
        load_recipe(name, STUDENT, TEACHER, {})
    assert f"train.recipe: `{name}`: " in caught.value.found
    assert why in caught.value.found
    assert "tinybert" in caught.value.expected
    assert "`package.module`" in caught.value.expected
    assert "`recipes.mine`" in caught.value.remedy


def test_a_recipe_from_outside(tmp_path, monkeypatch):
    code = (
        "from distill.losses import mse\n"
        "from distill.recipe import Recipe, Stage, Term, from_teacher\n"
        "from schemas.signal import logits\n"
        "def recipe(student, teacher, *, epochs: float = 1.0):\n"
        "    return Recipe(Stage('only', (Term(mse, logits(), from_teacher(logits())),), epochs, 1e-3))\n"
    )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kd.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_recipe("mine.kd", STUDENT, TEACHER, {"epochs": 2.0}).stages[0].epochs == 2


def test_steps_are_shared_by_epochs():
    recipe = Recipe(
        Stage("one", (Term(mse, hidden(0), from_teacher(hidden(0))),), 20.0, 1e-3),
        Stage("two", (Term(cross_entropy, logits(), label()),), 3.0, 1e-3),
    )
    assert recipe.steps(1000, 32) == (625, 94)
    assert recipe.steps(1000, 32, total=460) == (400, 60)
    assert sum(recipe.steps(1, 1, total=461)) == 461


def test_golden_losses():
    student = torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.25, -1.0]])
    teacher = torch.tensor([[2.0, -1.0, 0.0], [0.5, 0.5, -3.0]])
    labels = torch.tensor([0, 1])
    assert mse(student, teacher).item() == pytest.approx(1.09375)
    assert cross_entropy(student, labels).item() == pytest.approx(0.61493755)
    assert soft_cross_entropy(1.0)(student, teacher).item() == pytest.approx(0.25912271)
    assert soft_cross_entropy(4.0)(student, teacher).item() == pytest.approx(0.35426516)
    assert kl_divergence(1.0)(student, teacher).item() == pytest.approx(0.13513862)
    assert kl_divergence(4.0)(student, teacher).item() == pytest.approx(0.35255958)
    assert squared_error(torch.tensor([[1.0], [3.0]]), torch.tensor([0.0, 1.0])).item() == pytest.approx(2.5)


def test_soft_cross_entropy_and_divergence_have_the_same_gradient_up_to_their_scales():
    teacher = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    gradients = []
    for loss, scale in ((soft_cross_entropy(2.0), 3 * 4), (kl_divergence(2.0), 1)):
        student = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
        (loss(student, teacher) * scale).backward()
        gradients.append(student.grad)
    torch.testing.assert_close(gradients[0], gradients[1])


def test_general_distillation_needs_no_logits():
    recipe = load_recipe("tinybert_general", STUDENT, TEACHER, {})
    (stage,) = recipe.stages
    assert sorted(map(str, recipe.columns)) == sorted(
        [f"teacher.hidden.{n}" for n in (0, 3, 6, 9, 12)] + [f"teacher.attention.{n}" for n in (3, 6, 9, 12)]
    )
    assert [term.weight for term in stage.terms] == [1.0] * 9
    assert {term.project for term in stage.terms} == {"width", None}
    recipe.refuse_predictions()
    with pytest.raises(ConfigurationError, match="no labels to predict"):
        load_recipe("tinybert", STUDENT, TEACHER, {}).refuse_predictions()
    with pytest.raises(ConfigurationError, match="no labels to predict"):
        load_recipe("tinybert", replace(STUDENT, kind=Kind.NONE), replace(TEACHER, kind=Kind.NONE), {})
