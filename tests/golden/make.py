"""Make the golden cache of the format of today: every group and codec, of a random teacher, with what it is read to.

    PYTHONPATH=.:tests .venv/bin/python tests/golden/make.py

What lies there is never made again: it is what earlier versions wrote. A new family or codec adds its groups beside
them, a new format gets a folder of its own.
"""

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from conftest import configuration, save, write_rows
from golden.reading import read
from transformers import BertForSequenceClassification

from augment import candidates
from augment.candidates import Position
from distill.encoder import Encoder
from distill.needs import identity_of
from distill.prepare import prepared
from distill.teach import ShardTeacher, settings_of, token_settings
from distill.tokens import Tokenizer
from schemas import rows, tokens
from schemas.answers import Answers, Status
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.codec import Codec
from schemas.configuration import Teaching
from schemas.digest import digest
from schemas.example import Change, Example
from schemas.lengths import Lengths
from schemas.manifest import FORMAT
from schemas.signal import RELATIONS, Family
from schemas.task import Task

SHARDS = 2
TEXTS = ("a film", "this was dull", "Great !", "was it", "moving")
WIDTH, HEADS, LAYERS = 8, 2, (1, 2)
TASK = Task(texts=("sentence",), labels=("negative", "positive"))
TOP = 2
LOUD = 1
"""Number in its shard of the row whose scores are too large for half precision."""


class Loud(Encoder):
    """Makes the attention scores of one row a shard so large that they do not fit every codec."""

    def read(self, batch, signals):
        answers = super().read(batch, signals)
        squares = batch.lengths**2 * HEADS
        (place,) = (batch.rows == LOUD).nonzero()[0].tolist() or (None,)
        for signal in answers if place is not None else ():
            if signal.family is Family.ATTENTION:
                end = int(squares[: place + 1].sum())
                answers[signal][end - int(squares[place]) : end] *= 1e9
        return answers


def examples() -> list[Example]:
    """Short originals, among them one with a masked position, and a copy of one."""
    masks = (Change(0, 2, 6, "film", "mask"),)
    first, second, *others = (
        Example.original("test", (text,), i % 2, changes=() if i else masks) for i, text in enumerate(TEXTS)
    )
    change = Change(0, 0, 4, "this", "vectors")
    copy = second.copy(("that was dull",), strategy="tinybert", draw=0, changes=(change,))
    return [first, second._replace(count=2), copy, *others]


def groups() -> list[Answers]:
    """Every family, those that take room in every codec."""
    few = [
        Answers("teacher", Family.LOGITS, (), 2, Codec.F32),
        Answers("teacher", Family.POOLED, (), WIDTH, Codec.F32),
        Answers("teacher", Family.FIRST, LAYERS, WIDTH, Codec.F32),
        Answers("teacher", Family.MEAN, LAYERS, WIDTH, Codec.F32),
        Answers("teacher", Family.EMBEDDING, (0,), WIDTH, Codec.F32),
        *(Answers("teacher", family, (2,), 4, Codec.INT8) for family in RELATIONS),
        Answers("teacher", Family.ATTENTION_INPUT, LAYERS, WIDTH, Codec.INT8),
    ]
    hidden = [Answers("teacher", Family.HIDDEN, (0, *LAYERS), WIDTH, codec) for codec in Codec]
    return [*few, *hidden, *(Answers("teacher", Family.ATTENTION, LAYERS, HEADS, codec) for codec in Codec)]


def write_candidates(cache: Cache) -> None:
    """Write what a strategy could have proposed for the originals."""
    group = cache.group(candidates.name("tinybert"))
    for side in cache.group(rows.NAME).manifest().shards:
        table = rows.only_originals(cache.group(rows.NAME).read_shard(side))
        ids = table.column("id").to_pylist()
        positions = [(Position(0, 0, 1, "vectors", ("film", "story"), (0.5, 0.25)), Position(0, 2, 4, "none"))] * len(
            ids
        )
        with group.writer(side.shard, candidates.SCHEMA) as writer:
            writer.write(candidates.to_batch(ids, positions))
            writer.commit(settings=digest("golden"), input=side.ids, accounting={"rows": len(ids)})
    group.publish_manifest({}, SHARDS)


def write_answers(cache: Cache, model: Path) -> None:
    """Write the tokens of the rows and what a teacher says of them."""
    checkpoint = Checkpoint.find(str(model))
    teaching = Teaching(max_length=16, batch_tokens=32)
    identity = identity_of(checkpoint, teaching, threads=1)
    encoder = Loud(Encoder.load(checkpoint, TASK).model, TASK.kind)
    tokenizer = Tokenizer.load(checkpoint, teaching.max_length)
    every = tuple(groups())
    teacher = ShardTeacher(cache, encoder, tokenizer, every, identity, teaching.batch_tokens, masked=True)
    sides = cache.group(rows.NAME).manifest().shards
    teacher = replace(teacher, groups=prepared(teacher, sides))
    for side in sides:
        teacher.teach(side)
    settings = token_settings(identity, masked=True)
    cache.group(tokens.name(tokenizer.fingerprint, teaching.max_length)).publish_manifest(settings, SHARDS)
    for answers in teacher.groups:
        cache.group(answers.name).publish_manifest(settings_of(answers, identity), SHARDS)


def write_made_up(cache: Cache) -> None:
    """Write made-up logits at tokens and at masks: a classifier of rows has neither."""
    (beside,) = (group for group in cache.groups() if group.name.startswith("tokens."))
    _, tokenizer, longest = beside.name.split(".")
    for family, width in ((Family.TOKEN_LOGITS, 3), (Family.MASKED_LOGITS, 2 * TOP + 1)):
        answers = Answers("teacher", family, (), width, Codec.F32)
        group = cache.group(answers.name)
        for side in beside.manifest().shards:
            table = beside.read_shard(side)
            lengths = Lengths.of_table(table).at(family.at).tolist()
            numbers = [np.arange(length * width, dtype=np.float32) / 4 for length in lengths]
            kept = [answers.keep([each], length)[0] for each, length in zip(numbers, lengths, strict=True)]
            with group.writer(side.shard, answers.schema) as writer:
                writer.write(answers.to_batch(table["id"].to_numpy(), [Status.KEPT] * len(kept), kept))
                writer.commit(settings=digest("golden"), input=side.ids, accounting={"rows": len(kept)})
        group.publish_manifest(settings_of(answers, {"tokenizer": tokenizer, "max_length": int(longest)}), SHARDS)


def write(cache: Cache) -> None:
    """Write every group."""
    write_rows(cache, examples(), SHARDS)
    write_candidates(cache)
    torch.manual_seed(6)
    shape = configuration(
        hidden_size=WIDTH,
        num_hidden_layers=len(LAYERS),
        num_attention_heads=HEADS,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    with tempfile.TemporaryDirectory() as model:
        write_answers(cache, save(BertForSequenceClassification(shape), Path(model)))
    write_made_up(cache)


def complete(folder: Path) -> None:
    """Add the groups that a folder does not have yet, with what they are read to; what is there stays as it is."""
    document = folder / "expected.json"
    expected = json.loads(document.read_text(encoding="utf-8")) if document.exists() else {}
    known = {path.name for path in folder.glob("cache/*")}
    with tempfile.TemporaryDirectory() as made:
        cache = Cache(Path(made) / "cache")
        write(cache)
        expected |= {group.name: read(cache, group) for group in cache.groups() if group.name not in known}
        shutil.copytree(cache.path, folder / "cache", ignore=lambda _, names: known & {*names}, dirs_exist_ok=True)
    document.write_text(json.dumps(dict(sorted(expected.items()))) + "\n", encoding="utf-8")


if __name__ == "__main__":
    complete(Path(__file__).with_name(f"format-{FORMAT}"))
