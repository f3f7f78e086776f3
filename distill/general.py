"""General distillation: a student without a head learns on the rows of a corpus, by losses alone."""

import numpy as np

from distill.arm_result import ArmResult, finish_model, finished, save_model
from distill.recipe import Recipe
from distill.student import make_student, start_of
from distill.teacher import kept_of
from distill.teachers import Teachers
from distill.threads import use_all_cores
from distill.tokens import Tokenizer
from distill.train import TRAINER_SETTINGS, ProgressOf, Trainer
from distill.training_rows import TrainingRows
from schemas import tokens
from schemas.cache import Cache
from schemas.configuration import Configuration
from schemas.digest import digest
from schemas.rows import NAME as ROWS
from schemas.signal import Signal

NAME = "general"


def train_general(configuration: Configuration, teachers: Teachers, recipe: Recipe, progress: ProgressOf) -> ArmResult:
    """Train the student of a run over a corpus, unless that was done; nothing is measured, as there are no labels."""
    settings, checkpoint = configuration.train, teachers.own
    folder = configuration.output_path / "students" / NAME
    cache = Cache(configuration.cache_path)
    input = digest(
        {
            "rows": cache.group(ROWS).manifest().ids,
            "counts": [side.accounting for side in cache.group(ROWS).manifest().shards],
            "sources": teachers.sources(recipe.columns, cache),
            "student": configuration.student.model_dump(mode="json"),
            "start": start_of(configuration.student),
            "training": settings.model_dump(mode="json", include=TRAINER_SETTINGS - {"evaluate_every"}),
            "recipe": recipe.digest,
            "seed": configuration.seed,
            "steps": settings.steps,
        }
    )
    if (done := finished(folder, input)) is not None:
        return done
    use_all_cores()
    tokenizer = Tokenizer.load(checkpoint, configuration.teach.max_length)
    rows = TrainingRows.of(
        cache, tokens.name(tokenizer.fingerprint, tokenizer.max_length), tokenizer.padding, configuration.task
    )
    signals = frozenset[Signal]().union(*(stage.signals for stage in recipe.stages))
    student = make_student(configuration.student, checkpoint, configuration.task, configuration.seed, signals)
    if settings.teacher == "live":
        asked = teachers.live(recipe.columns, cache, checkpoint)
    else:
        asked = teachers.cached(recipe.columns, cache, rows)
    chosen = np.flatnonzero(kept_of(np.ones(len(rows.ids), np.bool_), asked, recipe.columns))
    trainer = Trainer(
        student=student,
        recipe=recipe,
        shapes=teachers.shapes,
        teachers=asked,
        rows=rows,
        chosen=chosen,
        steps=recipe.steps(int(rows.counts[chosen].sum()), settings.batch, settings.steps),
        settings=settings,
        seed=configuration.seed,
        folder=folder,
        input=input,
        progress=progress(NAME),
    )
    trainer.run()
    save_model(student, checkpoint, folder)
    result = finish_model(folder, ArmResult.of_model(NAME, input, student, sum(trainer.steps)))
    trainer.state.clear()
    return result
