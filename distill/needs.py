"""Needs: which groups a cache must have for a recipe, and what is wrong with those that it has."""

from collections.abc import Collection
from contextlib import suppress
from typing import Any

from distill.keeping import Keeping
from distill.packed import PackedReader
from distill.shape import ModelShape
from distill.training_rows import TrainingRows
from schemas.answers import Answers, failures
from schemas.cache import Cache
from schemas.checkpoint import Checkpoint
from schemas.codec import Codec
from schemas.configuration import Teaching
from schemas.errors import IntegrityError, NewerFormatError, QualityError
from schemas.manifest import Manifest
from schemas.rows import NAME as ROWS
from schemas.signal import Family, Signal


def identity_of(checkpoint: Checkpoint, teaching: Teaching, threads: int) -> dict[str, Any]:
    """Return what a teacher's answers depend on beside rows, layers and codec."""
    return {
        "fingerprint": checkpoint.fingerprint,
        "tokenizer": checkpoint.tokenizer_fingerprint,
        "max_length": teaching.max_length,
        "batch_tokens": teaching.batch_tokens,
        "threads": threads,
        **({"longer": teaching.longer} if teaching.longer != "cut" else {}),
    }


def wanted_groups(
    cache: Cache,
    teacher: str,
    signals: Collection[Signal],
    shape: ModelShape,
    keeping: Keeping,
    identity: dict[str, Any],
) -> list[Answers]:
    """Return the groups that together hold the signals of a teacher, known by its name.

    Groups that the same teacher wrote are taken for the layers they have, in whatever form; the layers that are left
    make one new group a family, so nothing is written twice. `identity` is what a group's settings say beside them.
    """
    groups = usable_groups(cache, teacher, signals, keeping.codec, identity)
    left = set(signals).difference(*(answers.signals for answers in groups))
    kinds: dict[tuple[Family, int], list[int]] = {}
    for signal in sorted(left):
        layers = kinds.setdefault((keeping.family(signal), signal.width or 0), [])
        layers += [] if signal.layer is None else [signal.layer]
    for (family, numbers), layers in sorted(kinds.items(), key=lambda kind: list(Family).index(kind[0][0])):
        width = numbers or getattr(shape, family.width)
        groups.append(Answers(teacher, family, tuple(layers), width, codec_of(family, keeping.codec)))
    return groups


def usable_groups(
    cache: Cache, teacher: str, signals: Collection[Signal], codec: Codec, identity: dict[str, Any]
) -> list[Answers]:
    """Return the groups that hold signals of a teacher as they are wanted now."""
    left = set(signals)
    groups: list[Answers] = []
    for manifest, answers in teacher_groups(cache, teacher):
        if left.intersection(answers.signals) and not differences(manifest, answers, codec, identity):
            groups.append(answers)
            left.difference_update(answers.signals)
    return groups


def codec_of(family: Family, configured: Codec) -> Codec:
    """Return the codec of a family: what is few is always f32, the others as configured."""
    return Codec.F32 if family.exact else configured


def teacher_groups(cache: Cache, teacher: str) -> list[tuple[Manifest, Answers]]:
    """Return manifest and content of every group of a teacher's answers in a cache.

    A family or codec that a later version added is in a group of its own, which nothing here needs.
    """
    found: list[tuple[Manifest, Answers]] = []
    for group in cache.groups():
        manifest = group.manifest()
        if manifest.settings.get("teacher") == teacher:
            with suppress(NewerFormatError):
                found.append((manifest, Answers.of(manifest.settings)))
    return found


UNSAID = {"longer": "cut"}
"""What a group was written with whose settings do not say."""


def differences(manifest: Manifest, answers: Answers, codec: Codec, identity: dict[str, Any]) -> list[str]:
    """Return what a group was written with that is not what is wanted now; logits are always f32."""
    wanted = {**UNSAID, **identity, "codec": codec_of(answers.family, codec).value}
    found = {**UNSAID, **manifest.settings}
    return [f"{key} {found.get(key)}, not {value}" for key, value in wanted.items() if found.get(key) != value]


USABLE = (
    "set teach.codec=bf16 or f32 for what overflows, teach.longer=cut for what is too long; what is not finite is the "
    "teacher's own"
)
"""What to do about rows without a usable answer."""


def check_failed(manifest: Manifest, teaching: Teaching) -> None:
    """Refuse a group in which more rows than allowed have no usable answer, or none has one."""
    failed = failures(manifest.accounting)
    if failed and failed == manifest.rows:
        raise QualityError("rows with a usable answer", f"none: {failed_in(manifest)}", USABLE)
    if failed > teaching.max_failed * manifest.rows:
        raise QualityError(
            f"at most {teaching.max_failed:.2%} of the rows without a usable answer",
            failed_in(manifest),
            f"{USABLE}, or raise teach.max_failed to train without those rows",
        )


def failed_in(manifest: Manifest) -> str:
    """Say how many rows of a group have no usable answer, and why."""
    counts = {key.replace("_", " "): count for key, count in manifest.accounting.items() if key != "rows"}
    said = ", ".join(f"{count:,} {key}" for key, count in counts.items() if count)
    return f"{manifest.group}: {failures(manifest.accounting):,} of {manifest.rows:,}: {said}"


def open_readers(
    cache: Cache,
    teacher: str,
    signals: Collection[Signal],
    rows: TrainingRows,
    codec: Codec,
    identity: dict[str, Any],
) -> list[PackedReader]:
    """Open what a recipe needs; raises `IntegrityError` that lists every mismatch and the command that mends it."""
    rows_manifest = cache.group(ROWS).manifest()
    readers: list[PackedReader] = []
    problems: list[str] = []
    left = set(signals)
    for manifest, answers in teacher_groups(cache, teacher):
        group = cache.group(answers.name)
        if not left.intersection(answers.signals):
            continue
        if differs := differences(manifest, answers, codec, identity):
            problems.append(f"{group.name}: stale: {', '.join(differs)}")
        elif manifest.ids != rows_manifest.ids:
            problems.append(f"{group.name}: not the rows of `{ROWS}`")
        else:
            readers.append(PackedReader(group, rows.all_lengths.at(answers.family.at)))
            left.difference_update(answers.signals)
    if left:
        problems += [f"{teacher}.{signal}: in no usable group" for signal in sorted(left)]
        raise IntegrityError(
            f"answers of the teacher for {', '.join(map(str, sorted(signals)))}",
            f"{cache.path}: {'; '.join(problems)}",
            "run `distill teach` with the same configuration: it writes what is missing",
        )
    return readers
