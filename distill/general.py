"""General distillation: a student without a head learns on the rows of a corpus, by losses alone."""

from typing import Any

import numpy as np

from distill.arm_result import ArmResult, finish_model, finished, save_model
from distill.encoder import Encoder, use_all_cores
from distill.needs import open_readers
from distill.recipe import Recipe
from distill.shape import ModelShape
from distill.student import make_student, start_of
from distill.teacher import CachedTeacher, LiveTeacher, Teacher
from distill.tokens import Tokenizer
from distill.train import TRAINER_SETTINGS, ProgressOf, Trainer
from distill.training_rows import TrainingRows
from schemas import tokens
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration
from schemas.digest import digest
from schemas.rows import NAME as ROWS

NAME = "general"


def train_general(
    configuration: Configuration, checkpoint: Checkpoint, recipe: Recipe, identity: dict[str, Any], progress: ProgressOf
) -> ArmResult:
    """Train the student of a run over a corpus, unless that was done; nothing is measured, as there are no labels."""
    settings = configuration.train
    folder = configuration.output_path / "students" / NAME
    cache = Cache(configuration.cache_path)
    input = digest(
        {
            "rows": cache.group(ROWS).manifest().ids,
            "counts": [side.accounting for side in cache.group(ROWS).manifest().shards],
            "teacher": identity,
            "student": configuration.student.model_dump(mode="json"),
            "start": start_of(configuration.student),
            "training": settings.model_dump(mode="json", include=TRAINER_SETTINGS - {"evaluate_every"}),
            "recipe": recipe.digest,
            "seed": configuration.seed,
            "steps": settings.steps,
            "codec": configuration.teach.codec.value if settings.teacher == "cached" else None,
        }
    )
    if (done := finished(folder, input)) is not None:
        return done
    use_all_cores()
    tokenizer = Tokenizer.load(checkpoint, configuration.teach.max_length)
    rows = TrainingRows.of(
        cache, tokens.name(tokenizer.fingerprint, tokenizer.max_length), tokenizer.padding, configuration.task
    )
    student = make_student(configuration.student, checkpoint, configuration.task, configuration.seed)
    teacher = teacher_of(configuration, checkpoint, recipe, rows, cache, identity)
    chosen = np.arange(len(rows.ids))
    if isinstance(teacher, CachedTeacher):
        chosen = np.flatnonzero(teacher.kept({column.signal for column in recipe.columns}))
    trainer = Trainer(
        student=student,
        recipe=recipe,
        teacher_shape=ModelShape.of_checkpoint(checkpoint, configuration.task.kind),
        teacher=teacher,
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


def teacher_of(
    configuration: Configuration,
    checkpoint: Checkpoint,
    recipe: Recipe,
    rows: TrainingRows,
    cache: Cache,
    identity: dict[str, Any],
) -> Teacher:
    """Return the teacher, live or as the cache holds it."""
    if configuration.train.teacher == "live":
        return LiveTeacher(Encoder.load_accelerated(checkpoint, configuration.task))
    signals = {column.signal for column in recipe.columns}
    return CachedTeacher(open_readers(cache, signals, rows, configuration.teach.codec, identity))
