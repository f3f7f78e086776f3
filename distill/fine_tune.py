"""Fine-tuning a teacher on the labelled originals, as `teacher: finetune <model>` asks."""

from collections.abc import Sequence

import numpy as np
import torch

from distill.arm_result import ArmResult, finish, finished, save_model
from distill.encoder import Encoder, accelerator, load_model
from distill.evaluate import HeldOut, evaluate, value
from distill.recipe import load_recipe
from distill.threads import use_all_cores
from distill.tokens import Tokenizer
from distill.train import TRAINER_SETTINGS, ProgressOf, Trainer
from distill.training_rows import TrainingRows
from schemas.checkpoint import Checkpoint
from schemas.configuration import Configuration
from schemas.digest import digest
from schemas.errors import DataError
from schemas.example import Example


def fine_tune(
    configuration: Configuration,
    base: Checkpoint,
    originals: Sequence[Example],
    dev: Sequence[Example],
    progress: ProgressOf,
) -> Checkpoint:
    """Return the teacher made from a base model; it is made once and kept in the folder of the run."""
    settings = configuration.fine_tuning
    labelled = [example for example in originals if example.is_labelled]
    if not labelled:
        raise DataError("labelled rows to fine-tune on", "none", "name a teacher that is fine-tuned already")
    folder = configuration.output_path / "teacher"
    task = configuration.task.model_dump(mode="json")
    input = digest(
        [
            base.fingerprint,
            settings.model_dump(mode="json"),
            configuration.train.model_dump(mode="json", include=TRAINER_SETTINGS - {"batch"}),
            task,
            configuration.teach.max_length,
            configuration.seed,
            [[example.id, example.count] for example in labelled],
            [example.id for example in dev],
        ]
    )
    if finished(folder, input) is not None:
        return Checkpoint.find(str(folder))
    use_all_cores()
    tokenizer = Tokenizer.load(base, configuration.teach.max_length)
    rows = TrainingRows.of_examples(labelled, tokenizer, configuration.task)
    torch.manual_seed(configuration.seed)
    kind = configuration.task.kind
    model, _ = load_model(base, kind, **configuration.task.model_labels())
    encoder = Encoder(model, kind)
    dials = {"epochs": settings.epochs, "learning_rate": settings.learning_rate}
    recipe = load_recipe("finetune", encoder.shape, encoder.shape, dials)
    training = configuration.train.model_copy(update={"batch": settings.batch})
    held_out = HeldOut.of(dev, tokenizer, configuration.task, accelerator())
    trainer = Trainer(
        student=encoder,
        recipe=recipe,
        shapes={},
        teachers={},
        rows=rows,
        chosen=np.flatnonzero(rows.has_answers),
        steps=recipe.steps(int(rows.counts.sum()), settings.batch),
        settings=training,
        seed=configuration.seed,
        folder=folder,
        input=input,
        evaluate=lambda each: value(each, held_out),
        progress=progress("teacher"),
    )
    best = trainer.run()
    found = evaluate(encoder, held_out, configuration.seed)
    save_model(encoder, base, folder)
    finish(folder, ArmResult.of("teacher", input, encoder, found, sum(trainer.steps), best.best_step), found)
    trainer.state.clear()
    return Checkpoint.find(str(folder))
