"""Encoders: any BERT-like model with the head of its task, teacher or student, read by the same signals."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, assert_never

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from distill.attention import IMPLEMENTATION, capture, no_scores
from distill.batch import Batch
from distill.shape import ModelShape
from schemas.checkpoint import Checkpoint
from schemas.errors import ModelError
from schemas.signal import At, Family, Signal
from schemas.task import Kind, Task, Unit, unit_of

Values = dict[Signal, Float[Tensor, "..."]]


@dataclass
class Encoder:
    """A model, the kind of task it is for, and the way signals are read off it."""

    model: Any
    kind: Kind

    @classmethod
    def load(cls, checkpoint: Checkpoint, task: Task, signals: Collection[Signal] = ()) -> "Encoder":
        """Load a fine-tuned model in fp32 and evaluation mode, with the head that the signals need beside the task's.

        Raises `ModelError` for a head that was just initialised, and for labels in another order than the task's.
        """
        check_head(checkpoint, task.kind)
        model, missing = load_model(checkpoint, task.kind, pieces=are_of_pieces(signals))
        if task.kind is Kind.NONE:
            return cls(whole_body(checkpoint, model, missing).eval(), task.kind)
        if missing:
            raise ModelError(
                "a fine-tuned teacher with a trained head",
                f"{checkpoint.path}: no weights for {', '.join(missing[:4])}",
                f"fine-tune it first: `teacher: finetune {checkpoint.path}`",
            )
        check_labels(checkpoint, model.config, task)
        return cls(model.eval(), task.kind)

    @classmethod
    def load_accelerated(cls, checkpoint: Checkpoint, task: Task, signals: Collection[Signal] = ()) -> "Encoder":
        """Load a model as `load` does, onto the accelerator where there is one."""
        encoder = cls.load(checkpoint, task, signals)
        encoder.model.to(accelerator())
        return encoder

    @property
    def shape(self) -> ModelShape:
        """Shape of the model."""
        return ModelShape.of(self.model.config, self.kind)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    def read(self, batch: Batch, signals: Collection[Signal]) -> Values:
        """Run the model once and return the signals, packed.

        What a row has once is [rows, width], what a token has [tokens, width], or classes for width, what masked ones
        have [masked, numbers]; attention scores and relations are flat: row after row, heads one after another, length
        times length numbers each. All are float32. Raises `ModelError` for what the model does not have.
        """
        layered = any(signal.family.of_states for signal in signals)
        with capture(signals) as pairs, self.pooler_output() as pooled, self.masked_only(batch, signals):
            output = self.model(**self.inputs(batch), output_hidden_states=layered)
        if missing := {signal for signal in signals if signal.at is At.PAIR} - pairs.keys():
            raise no_scores(self.model, missing)
        answers: Values = {}
        for signal in frozenset(signals):
            states = output.hidden_states[signal.layer or 0] if layered else torch.empty(0)
            match signal.family:
                case Family.LOGITS:
                    found = output.logits
                case Family.TOKEN_LOGITS:
                    found = batch.pack_tokens(output.logits)
                case Family.MASKED_LOGITS:
                    found = output.logits if signal.top is None else largest(output.logits, signal.top)
                case Family.POOLED:
                    if not pooled:
                        raise has_no(self.model, "pooled output")
                    found = pooled[0]
                case Family.HIDDEN:
                    found = batch.pack_tokens(states)
                case Family.FIRST:
                    found = states[:, 0]
                case Family.MEAN:
                    found = batch.mean(states)
                case Family.ATTENTION | Family.QUERY_RELATION | Family.KEY_RELATION | Family.VALUE_RELATION:
                    found = batch.pack_pairs(pairs[signal])
                case Family.ATTENTION_INPUT | Family.EMBEDDING:
                    raise ValueError(f"{signal} is a form of keeping, not a signal")
                case _:
                    assert_never(signal.family)
            answers[signal] = found.float()
        return answers

    @contextmanager
    def pooler_output(self) -> Iterator[list[Tensor]]:
        """Collect what the model's pooler makes, where it has one: a head's output does not name it."""
        found: list[Tensor] = []

        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            if (pooled := getattr(output, "pooler_output", None)) is not None:
                found.append(pooled)

        handle = self.model.base_model.register_forward_hook(keep)
        try:
            yield found
        finally:
            handle.remove()

    @contextmanager
    def masked_only(self, batch: Batch, signals: Collection[Signal]) -> Iterator[None]:
        """Let the head that predicts pieces see masked tokens only: others' logits would be most of the work."""
        if not are_of_pieces(signals):
            yield
            return
        head = self.model.get_output_embeddings()
        if head is None:
            raise has_no(self.model, "masked-LM logits")
        handle = head.register_forward_pre_hook(lambda module, inputs: (batch.at_masks(inputs[0]),))
        try:
            yield
        finally:
            handle.remove()

    def inputs(self, batch: Batch) -> dict[str, Tensor | None]:
        """Return the model's arguments; no mask where nothing is padded, so that attention stays fused."""
        inputs: dict[str, Tensor | None] = {
            "input_ids": batch.input_ids,
            "attention_mask": batch.mask.long() if batch.is_padded else None,
        }
        if getattr(self.model.config, "type_vocab_size", 0) > 1:
            inputs["token_type_ids"] = batch.token_type_ids
        return inputs


def has_no(model: nn.Module, what: str) -> ModelError:
    """Return the refusal of what a model does not give."""
    return ModelError(
        f"a model that gives {what}",
        f"{type(model).__name__} gives none",
        "name another model, or a recipe without it",
    )


def are_of_pieces(signals: Collection[Signal]) -> bool:
    """Whether some signal is what a model predicts of the vocabulary's pieces."""
    return any(signal.family is Family.MASKED_LOGITS for signal in signals)


def largest(logits: Float[Tensor, "masked vocabulary"], top: int) -> Float[Tensor, "masked numbers"]:
    """Return the largest logits, the log-sum-exp of all, and the pieces' ids, see `schemas.signal.masked_logits`."""
    logits = logits.float()
    values, pieces = logits.topk(top)
    return torch.cat([values, logits.logsumexp(-1, keepdim=True), pieces.float()], -1)


def architecture(kind: Kind, *, pieces: bool = False) -> Any:
    """Return the class of transformers that makes and loads models for a kind of task.

    `pieces` says that a model of raw text predicts pieces.
    """
    unit = unit_of(kind)
    match unit:
        case Unit.ROW:
            return AutoModelForSequenceClassification
        case Unit.WORD:
            return AutoModelForTokenClassification
        case Unit.NOTHING:
            return AutoModelForMaskedLM if pieces else AutoModel
        case _:
            assert_never(unit)


def whole_body(checkpoint: Checkpoint, model: nn.Module, missing: Sequence[str]) -> nn.Module:
    """Refuse a model without a head that lacks more than the pooler, which no signal of raw text comes from."""
    absent = [name for name in missing if not name.startswith("pooler.")]
    if absent:
        raise ModelError("a trained language model", f"{checkpoint.path}: no weights for {absent[0]}", "name another")
    return model


def load_model(
    checkpoint: Checkpoint, kind: Kind, *, pieces: bool = False, **changes: Any
) -> tuple[nn.Module, list[str]]:
    """Load a model in fp32 from safetensors; return it and the names of weights that were not in the file."""
    model, report = architecture(kind, pieces=pieces).from_pretrained(
        checkpoint.path,
        dtype=torch.float32,
        attn_implementation=IMPLEMENTATION,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
        **changes,
    )
    return model, sorted(report["missing_keys"])


def check_head(checkpoint: Checkpoint, kind: Kind) -> None:
    """Refuse a classifier of rows as a teacher of tokens: the two heads may have weights of the same names."""
    names = checkpoint.configuration.get("architectures") or []
    if unit_of(kind) is Unit.WORD and any(name.endswith("ForSequenceClassification") for name in names):
        raise ModelError(
            "a teacher that was fine-tuned for token classification",
            f"{checkpoint.path}: {', '.join(names)}",
            "name another teacher, or make one: `teacher: finetune <model>`",
        )


def check_labels(checkpoint: Checkpoint, configuration: Any, task: Task) -> None:
    """Refuse a teacher whose outputs mean something else than the task's labels."""
    if configuration.num_labels != task.outputs:
        raise ModelError(
            f"a teacher with {task.outputs} outputs",
            f"{checkpoint.path}: {configuration.num_labels}",
            "correct `task.labels` or name another teacher",
        )
    names = [str(configuration.id2label[i]) for i in range(configuration.num_labels)]
    unnamed = [f"LABEL_{i}" for i in range(configuration.num_labels)]
    if not task.labels or names == unnamed or [n.lower() for n in names] == [n.lower() for n in task.labels]:
        return
    raise ModelError(
        f"labels in the teacher's order: {dict(enumerate(names))}",
        f"`task.labels`: {dict(enumerate(task.labels))}",
        f"write `labels: [{', '.join(names)}]` if they mean the same, or name another teacher",
    )


def accelerator() -> torch.device:
    """Return the device that models are put on."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
