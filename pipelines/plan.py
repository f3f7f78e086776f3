"""The plan: what is done, what would be done, and what it costs, before anything is paid."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from pipelines.progress import duration, size
from pipelines.read import first_examples
from pipelines.run import Run
from schemas import rows
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.example import Example

if TYPE_CHECKING:
    from distill.encoder import Encoder
    from distill.tokens import Tokenizer
    from schemas.signal import Signal

SAMPLE = 64
BYTES_AROUND_A_ROW = 24
"""Id, status and list offset of a row of answers; headers of record batches come on top and vanish beside them."""


@dataclass
class Plan:
    """What the stages of a run would do."""

    accounting: dict[str, int]
    copies: int = 0
    tokens_per_row: float = 0.0
    lines: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows after augmentation, at most."""
        return self.accounting["kept"] + self.copies


def make_plan(run: Run) -> Plan:
    """Read the data, ask models for a small sample of rows, and extrapolate; nothing is written but rejects."""
    from distill.encoder import load_model
    from distill.shape import ModelShape
    from distill.student import student_shape
    from distill.tokens import Tokenizer

    configuration = run.configuration
    plan = Plan(run.scan.accounting())
    workers = configuration.workers.count or processors()
    sample = first_examples(configuration, run.scan, SAMPLE)
    checkpoint = Checkpoint.find(configuration.base_teacher or configuration.teacher)
    tokenizer = Tokenizer.load(checkpoint, configuration.teach.max_length)
    plan_augmentation(run, plan, sample, workers)
    encoder = encoder_for_timing(run, checkpoint, load_model)
    shape = ModelShape.of(encoder.model.config)
    student = student_shape(configuration.student, checkpoint, configuration.task)
    recipe = recipe_of(run, student, shape)
    plan_teaching(run, plan, sample, encoder, tokenizer, {c.signal for c in recipe.columns}, workers)
    total = configuration.train.steps or sum(recipe.steps(plan.rows, configuration.train.batch))
    arms = len(configuration.train.arms)
    seconds = step_seconds(run, sample, tokenizer, encoder, student.layers / shape.layers)
    trained = sum(
        (configuration.output_path / "students" / arm / "result.json").exists() for arm in configuration.train.arms
    )
    work = f"{arms} students × {total:,} steps of {configuration.train.batch} rows"
    plan.lines.append(("train", work, "", duration(seconds * total * arms), f"{trained} of {arms} done"))
    return plan


def plan_augmentation(run: Run, plan: Plan, sample: Sequence[Example], workers: int) -> None:
    """Propose words for the sample, and say what the whole would take."""
    from pipelines.augment import make_stage

    cache = Cache(run.configuration.cache_path)
    kept = plan.accounting["kept"]
    settings = run.configuration.augment
    done = "done" if cache.group(rows.NAME).manifest_path().exists() else "to do"
    text = sum(len(text.encode()) for example in sample for text in example.texts) / len(sample)
    if not settings.copies:
        plan.lines.append(("augment", f"{kept:,} rows, no copies", size(kept * (text + 60)), duration(0), done))
        return
    strategy = make_stage(run.configuration, cache).strategy()
    assert strategy is not None
    strategy.propose(sample[:4])
    seconds, positions = timed(lambda: strategy.propose(sample))
    copies = sum(len(strategy.draw(example, each)[0]) for example, each in zip(sample, positions, strict=True))
    plan.copies = round(copies / len(sample) * kept)
    words = sum(map(len, positions)) / len(sample) * kept
    work = f"{kept:,} rows, {words:,.0f} words to propose for, about {plan.copies:,} copies"
    space = plan.rows * (text + 100) + words * settings.candidates * 12
    plan.lines.append(("augment", work, size(space), duration(seconds / len(sample) * kept / workers), done))


def plan_teaching(
    run: Run,
    plan: Plan,
    sample: Sequence[Example],
    encoder: "Encoder",
    tokenizer: "Tokenizer",
    signals: "set[Signal]",
    workers: int,
) -> None:
    """Ask the teacher for the sample, and say what the whole would take, group by group."""
    from distill.batch import Batch
    from distill.needs import identity_of, wanted_groups
    from distill.shape import ModelShape
    from schemas.signal import logits

    configuration = run.configuration
    cache = Cache(configuration.cache_path)
    live = configuration.train.teacher == "live"
    signals = {logits()} if live else signals | {logits()}
    encoded = tokenizer.encode([example.texts for example in sample])
    lengths = np.array([len(ids) for ids in encoded.input_ids], np.int64)
    plan.tokens_per_row = float(lengths.mean())
    order = np.argsort(lengths, kind="stable")
    batch = Batch.of(
        order,
        [np.array(encoded.input_ids[i]) for i in order],
        [np.array(encoded.token_type_ids[i]) for i in order],
        padding=tokenizer.padding,
    )
    seconds = forward_seconds(encoder, batch, signals) / len(sample) * plan.rows / workers
    identity = {}
    if configuration.base_teacher is None:
        checkpoint = Checkpoint.find(configuration.teacher)
        identity = identity_of(checkpoint, configuration.teach, configuration.workers.threads)
    shape = ModelShape.of(encoder.model.config)
    groups = wanted_groups(cache, signals, shape, configuration.teach.codec, identity)
    space = 0.0
    names = []
    for answers in groups:
        numbers = answers.size(lengths).mean() * len(answers.signals)
        space += plan.rows * (numbers * answers.codec.dtype.itemsize + BYTES_AROUND_A_ROW)
        names.append(answers.name)
    space += plan.rows * plan.tokens_per_row * 5
    done = sum(cache.group(name).manifest_path().exists() for name in names)
    work = f"{plan.rows:,} rows, {plan.rows * plan.tokens_per_row:,.0f} tokens: {', '.join(names)}"
    plan.lines.append(("teach", work, size(space), duration(seconds), f"{done} of {len(names)} groups done"))
    free = free_bytes(configuration.cache_path)
    if space > free:
        plan.warnings.append(
            f"the cache needs about {size(space)} and {configuration.cache_path} has {size(free)} free: "
            "lower augment.copies, set teach.codec=f16, or train.teacher=live"
        )
    if encoded.cut:
        plan.warnings.append(f"{encoded.cut} of {len(sample)} sampled rows are cut at {tokenizer.max_length} pieces")


def encoder_for_timing(run: Run, checkpoint: Checkpoint, load_model: Callable) -> "Encoder":
    """Load the teacher as the workers do; a base model still to be fine-tuned costs the same."""
    import torch

    from distill.encoder import Encoder

    torch.set_num_threads(run.configuration.workers.threads)
    if run.configuration.base_teacher is None:
        return Encoder.load(checkpoint, run.configuration.task)
    return Encoder(load_model(checkpoint, **run.configuration.task.model_labels())[0].eval())


def recipe_of(run: Run, student: object, teacher: object):
    """Return the configured recipe without making a teacher first."""
    from distill.recipe import load_recipe

    settings = run.configuration.train
    return load_recipe(settings.recipe, student, teacher, settings.dials)  # type: ignore[arg-type]


def forward_seconds(encoder: "Encoder", batch, signals) -> float:
    """Time the teacher on a batch, after a warm-up."""
    import torch

    with torch.inference_mode():
        encoder.read(batch, signals)
        return timed(lambda: encoder.read(batch, signals))[0]


def step_seconds(
    run: Run, sample: Sequence[Example], tokenizer: "Tokenizer", encoder: "Encoder", depth: float
) -> float:
    """Estimate a training step: three forwards of a batch of the teacher, scaled to the student's depth."""
    import torch

    from distill.batch import Batch
    from schemas.signal import logits

    torch.set_num_threads(processors())
    encoded = tokenizer.encode([example.texts for example in sample[: run.configuration.train.batch]])
    batch = Batch.of(
        np.arange(len(encoded.input_ids)),
        [np.array(ids) for ids in encoded.input_ids],
        [np.array(ids) for ids in encoded.token_type_ids],
        padding=tokenizer.padding,
    )
    seconds = forward_seconds(encoder, batch, {logits()})
    return 3 * seconds * depth * run.configuration.train.batch / len(encoded.input_ids)


def timed(work: Callable):
    """Return the seconds something took, and what it gave."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def processors() -> int:
    """Return how many cores this process may use."""
    import os

    return len(os.sched_getaffinity(0))


def free_bytes(path) -> int:
    """Return the bytes free where a folder lies or will lie."""
    import shutil

    from schemas.store import existing_parent

    return shutil.disk_usage(existing_parent(path)).free


def show_plan(plan: Plan) -> None:
    """Print a plan."""
    console = Console()
    counts = plan.accounting
    console.print(
        f"rows: {counts['read']:,} read = {counts['kept']:,} kept + {counts['merged']:,} merged + "
        f"{counts['rejected']:,} rejected",
        highlight=False,
    )
    table = Table("stage", "work", "disk", "time", "state", title="plan (estimates from a small sample)")
    for line in plan.lines:
        table.add_row(*line)
    console.print(table)
    for warning in plan.warnings:
        console.print(f"warning: {warning}", highlight=False, soft_wrap=True)
