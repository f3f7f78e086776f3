"""Recipes: what a student learns, from what, in which order; needs are computed from the terms."""

import importlib
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from distill.losses import Loss
from distill.shape import ModelShape
from schemas.digest import digest, file_digest
from schemas.errors import ConfigurationError
from schemas.signal import TEACHER, Column, Family, Signal

TEACHERS = "teachers"
"""Name of the parameter of a recipe that takes the shapes of more teachers than one."""

RECIPES = Path(__file__).parent / "recipes"
DOTTED = re.compile(r"\w+(\.\w+)+")


@dataclass(frozen=True, order=True)
class Label:
    """The row's label as a target."""

    def __str__(self) -> str:
        return "label"


def label() -> Label:
    """Return the target that is the row's label: a class, a number, a 1 or 0 for every class, or classes of words."""
    return Label()


def from_teacher(signal: Signal, teacher: str = TEACHER) -> Column:
    """Return the target that is a signal of a teacher: of the run's, or of another one by its name in `teachers`."""
    return Column(teacher, signal)


@dataclass(frozen=True)
class Term:
    """A loss between a signal of the student and a target, times a weight.

    `project` names a linear map from the student's width to the target's; terms that give the same name share it.
    """

    loss: Loss
    student: Signal
    target: Column | Label
    weight: float = 1.0
    project: str | None = None

    @property
    def name(self) -> str:
        """What the term is called in logs."""
        return f"{self.student}<{self.target}"


@dataclass(frozen=True)
class Stage:
    """Terms that are learnt together, for how long and how fast.

    `epochs` counts passes over the rows; `schedule` is `constant`, or `linear`: up over the share `warm_up` of the
    steps, then down to zero.
    """

    name: str
    terms: tuple[Term, ...]
    epochs: float
    learning_rate: float
    schedule: Literal["constant", "linear"] = "linear"
    warm_up: float = 0.1

    @property
    def columns(self) -> frozenset[Column]:
        """Teacher columns the stage reads."""
        return frozenset(term.target for term in self.terms if isinstance(term.target, Column))

    @property
    def signals(self) -> frozenset[Signal]:
        """Student signals the stage needs."""
        return frozenset(term.student for term in self.terms)

    @property
    def wants_labels(self) -> bool:
        """Whether some term learns from labels."""
        return any(isinstance(term.target, Label) for term in self.terms)


class Recipe:
    """Stages, one after the other; `digest` names the code and the dials that a loaded recipe came from."""

    def __init__(self, *stages: Stage, digest: str = "") -> None:
        self.stages = stages
        self.digest = digest

    @property
    def columns(self) -> frozenset[Column]:
        """Teacher columns that some stage reads: what a cache must hold."""
        return frozenset[Column]().union(*(stage.columns for stage in self.stages))

    def signals_of(self, teacher: str) -> frozenset[Signal]:
        """Return what some stage reads of a teacher."""
        return frozenset(column.signal for column in self.columns if column.teacher == teacher)

    def refuse_predictions(self) -> None:
        """Refuse a recipe that raw text has no answer for: without labels there are no logits either."""
        terms = [term for stage in self.stages for term in stage.terms]
        answers = [term.name for term in terms if term.student.is_answer]
        if answers:
            raise nothing_to_predict(f"it has {', '.join(answers)}")

    def with_learning_rate(self, learning_rate: float | None) -> "Recipe":
        """Return the recipe with one learning rate for all stages, or itself for `None`."""
        if learning_rate is None:
            return self
        return Recipe(*(replace(stage, learning_rate=learning_rate) for stage in self.stages), digest=self.digest)

    def with_teacher(self, name: str) -> "Recipe":
        """Return the recipe with the run's teacher under the name by which a cache keeps it."""
        if name == TEACHER:
            return self
        stages = (
            replace(stage, terms=tuple(replace(term, target=renamed(term.target, name)) for term in stage.terms))
            for stage in self.stages
        )
        return Recipe(*stages, digest=self.digest)

    def steps(self, rows: int, batch: int, total: int | None = None) -> tuple[int, ...]:
        """Return the number of steps of each stage: its epochs over `rows`, or its share of `total` by epochs."""
        passes = [stage.epochs for stage in self.stages]
        if total is None:
            return tuple(max(1, -int(-epochs * rows // batch)) for epochs in passes)
        ends = [round(total * sum(passes[: i + 1]) / sum(passes)) for i in range(len(passes))]
        return tuple(end - start for start, end in zip([0, *ends], ends, strict=False))


def renamed(target: Column | Label, name: str) -> Column | Label:
    """Return a target with another name for the run's teacher."""
    return replace(target, teacher=name) if isinstance(target, Column) and target.teacher == TEACHER else target


def load_recipe(
    name: str,
    student: ModelShape,
    teacher: ModelShape,
    dials: dict[str, Any],
    others: Mapping[str, ModelShape] | None = None,
) -> Recipe:
    """Build the recipe of a file in `distill/recipes`, or of a dotted module that has a function `recipe`.

    `others` are the shapes of more teachers, by name; a recipe that can learn from several has a parameter `teachers`.
    """
    others = others or {}
    module = module_of(name)
    if not callable(getattr(module, "recipe", None)):
        raise ConfigurationError(
            "a module with a function `recipe`", f"train.recipe: {module.__file__}: none", "name another module"
        )
    parameters = list(inspect.signature(module.recipe).parameters)[2:]
    several = {TEACHERS: others} if TEACHERS in parameters else {}
    parameters = [each for each in parameters if each != TEACHERS]
    unknown = sorted(set(dials) - set(parameters))
    if unknown:
        raise ConfigurationError(
            f"dials of `{name}`: {', '.join(parameters) or 'none'}",
            f"train.dials: {', '.join(unknown)}",
            "correct `train.dials`",
        )
    try:
        recipe = module.recipe(student, teacher, **dials, **several)
    except (TypeError, ValueError, AttributeError) as error:
        found = f"train.dials: {dials}: {error}"
        raise ConfigurationError(f"dials that `{name}` can use", found, "correct `train.dials`") from error
    if empty := [stage.name for stage in recipe.stages if not stage.terms] or ([] if recipe.stages else ["no stage"]):
        raise ConfigurationError(
            "stages, each with a term to learn by", f"train.recipe: `{name}`: {empty[0]}", "correct the recipe"
        )
    check_columns(name, recipe.columns, {TEACHER: teacher, **others})
    recipe.digest = digest([name, dials, file_digest(Path(inspect.getfile(module)))])
    return recipe


def module_of(name: str) -> ModuleType:
    """Import a recipe's module, one of ours by its name or any by its dotted path; refuse what is none, and say why."""
    known = recipe_names()
    if name in known:
        return importlib.import_module(f"distill.recipes.{name}")
    if "/" in name or name.endswith(".py"):
        why = "a file"
    elif not DOTTED.fullmatch(name):
        why = "none of these, and not a module in a package"
    else:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            why = str(error)
    raise ConfigurationError(
        f"a recipe: {', '.join(known)}, or a module of your own: `package.module`",
        f"train.recipe: `{name}`: {why}",
        "correct `train.recipe`; the file recipes/mine.py in the folder you stand in is `recipes.mine`",
    )


def check_columns(name: str, columns: Iterable[Column], teachers: Mapping[str, ModelShape]) -> None:
    """Refuse columns of teachers that nobody named, teachers that are named for nothing, and what is cut to nothing."""
    asked = {column.teacher for column in columns}
    if strangers := sorted(asked - set(teachers)):
        raise ConfigurationError(
            f"columns of {', '.join(teachers)}",
            f"train.recipe: `{name}` learns from {', '.join(strangers)}",
            f"name its model: `teachers: {{{strangers[0]}: path/or/hub-id}}`",
        )
    if idle := sorted(set(teachers) - asked - {TEACHER}):
        raise ConfigurationError(
            "a recipe that learns from all `teachers`",
            f"train.recipe: `{name}` asks nothing of {', '.join(idle)}",
            "set `train.recipe: hinton`, or leave them out of `teachers`",
        )
    for column in columns:
        signal, vocabulary = column.signal, teachers[column.teacher].vocabulary
        if signal.family is Family.MASKED_LOGITS and not 1 <= (signal.top or 0) <= vocabulary:
            raise ConfigurationError(
                f"how many logits are kept, 1 to {vocabulary:,}: `masked_logits(top=64)`",
                f"train.recipe: {column}",
                "correct the recipe",
            )


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the project: the files of the folder."""
    return sorted(path.stem for path in RECIPES.glob("*.py") if path.stem != "__init__")


def same_heads(terms: Iterable[Term], student: ModelShape, teacher: ModelShape) -> tuple[Term, ...]:
    """Return terms that compare attention head by head; refuse models that differ in heads."""
    if student.heads != teacher.heads:
        raise ConfigurationError(
            f"{teacher.heads} attention heads, as the teacher has",
            f"a student with {student.heads}",
            "set `student.heads`, or `train.dials: {attention: false}` where the recipe has that dial",
        )
    return tuple(terms)


def nothing_to_predict(found: str) -> ConfigurationError:
    """Return the refusal of a recipe that raw text has no answer for."""
    return ConfigurationError(
        "a recipe of hidden states and attention, as raw text has no labels to predict",
        f"train.recipe: {found}",
        "set `train.recipe: tinybert_general`, or leave those terms out of your own",
    )
