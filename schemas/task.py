"""Tasks: what a row's texts and label mean."""

from enum import StrEnum
from typing import Annotated, Any, Self, assert_never

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.example import Label
from schemas.label import SEPARATOR, class_of, classes_of, number_of, tags_of
from schemas.tags import are_entity_tags


class Kind(StrEnum):
    """How a label is to be understood: one class, a number, any number of classes, or a class for every word."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    MULTI_LABEL = "multi_label"
    TOKEN_CLASSIFICATION = "token_classification"
    NONE = "none"
    """Raw text: neither labels nor a metric. It is what `data.corpus` has, and is never written."""


class Unit(StrEnum):
    """What a model answers for."""

    ROW = "row"
    WORD = "word"
    NOTHING = "nothing"
    """A model without a head, of which only its insides are wanted."""


def unit_of(kind: Kind) -> Unit:
    """Return what a model answers for in a kind of task."""
    match kind:
        case Kind.CLASSIFICATION | Kind.REGRESSION | Kind.MULTI_LABEL:
            return Unit.ROW
        case Kind.TOKEN_CLASSIFICATION:
            return Unit.WORD
        case Kind.NONE:
            return Unit.NOTHING
        case _:
            assert_never(kind)


NO_ANSWERS = TypeError("raw text has neither labels nor answers")
"""What asking for them is: a mistake of ours."""


class Metric(StrEnum):
    """Metrics of the GLUE tasks, of sets of labels, and of entities."""

    ACCURACY = "accuracy"
    F1 = "f1"
    MATTHEWS = "matthews"
    PEARSON = "pearson"
    SPEARMAN = "spearman"
    PEARSON_SPEARMAN = "pearson_spearman"
    MICRO_F1 = "micro_f1"
    MACRO_F1 = "macro_f1"
    ENTITY_F1 = "entity_f1"


REGRESSION_METRICS = (Metric.PEARSON, Metric.SPEARMAN, Metric.PEARSON_SPEARMAN)


def metrics_of(kind: Kind) -> tuple[Metric, ...]:
    """Return the metrics that a kind of task can be judged by, the default first."""
    match kind:
        case Kind.CLASSIFICATION:
            return (Metric.ACCURACY, Metric.F1, Metric.MATTHEWS)
        case Kind.REGRESSION:
            return (Metric.PEARSON_SPEARMAN, Metric.PEARSON, Metric.SPEARMAN)
        case Kind.MULTI_LABEL:
            return (Metric.MICRO_F1, Metric.MACRO_F1, Metric.ACCURACY)
        case Kind.TOKEN_CLASSIFICATION:
            return (Metric.ENTITY_F1, Metric.ACCURACY)
        case Kind.NONE:
            return ()
        case _:
            assert_never(kind)


class Task(BaseModel):
    """Kind, text columns, label column, labels in the order of the teacher's outputs, metric.

    Columns are names, or positions counted from 0 in files without a header. In a token classification the text column
    holds lists of words, the label column lists of as many tags. `protected` is a column of the parts of texts that no
    copy may change, `[start, end]` each, `[text, start, end]` in pairs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = Kind.CLASSIFICATION
    texts: Annotated[tuple[str | int, ...], Field(min_length=1, max_length=2)]
    label: str | int | None = None
    labels: tuple[str, ...] = ()
    protected: str | int | None = None
    metric: Metric = Metric.ACCURACY

    @model_validator(mode="before")
    @classmethod
    def default_metric(cls, data: object) -> object:
        """Every kind is judged by its own first metric unless told otherwise."""
        if not isinstance(data, dict):
            return data
        if data.get("labels", ()) is None:
            data = {key: value for key, value in data.items() if key != "labels"}
        kind = data.get("kind", Kind.CLASSIFICATION)
        if data.get("metric") is None and kind in tuple(Kind) and metrics_of(Kind(kind)):
            return {**data, "metric": metrics_of(Kind(kind))[0]}
        return data

    @model_validator(mode="after")
    def agree(self) -> Self:
        """Refuse a task whose parts contradict each other."""
        if self.kind is Kind.NONE:
            return self
        self.check_labels()
        if self.metric not in metrics_of(self.kind):
            kinds = " or ".join(kind.value for kind in Kind if self.metric in metrics_of(kind))
            raise ValueError(f"metric `{self.metric}` is for a {kinds}; here: {', '.join(metrics_of(self.kind))}")
        if self.metric is Metric.F1 and len(self.labels) != 2:
            raise ValueError("metric `f1` is for two labels, the second being the positive one")
        if self.metric is Metric.ENTITY_F1 and not are_entity_tags(self.labels):
            raise ValueError("metric `entity_f1` is for the tags O, B-… and I-…; others have `metric: accuracy`")
        return self

    def check_labels(self) -> None:
        """Refuse labels that the kind cannot have, or the lack of them."""
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("`labels` names one label twice")
        match self.kind:
            case Kind.CLASSIFICATION:
                if len(self.labels) < 2:
                    raise ValueError("a classification needs `labels`: at least two names, in the teacher's order")
            case Kind.REGRESSION:
                if self.labels:
                    raise ValueError("a regression has no `labels`")
            case Kind.MULTI_LABEL:
                if not self.labels:
                    raise ValueError("a multi_label task needs `labels`: names, in the teacher's order")
                if any(SEPARATOR in name for name in self.labels):
                    raise ValueError(f"`labels` of a multi_label task have no `{SEPARATOR}` in them: it stands between")
            case Kind.TOKEN_CLASSIFICATION:
                if len(self.labels) < 2:
                    raise ValueError("a token_classification needs `labels`: all tags, in the teacher's order")
                if len(self.texts) != 1:
                    raise ValueError("a token_classification has one column of words in `texts`")
                if self.protected is not None:
                    raise ValueError("`protected` is for rows of texts; a token_classification protects its entities")
            case Kind.NONE:
                pass
            case _:
                assert_never(self.kind)

    @property
    def outputs(self) -> int:
        """Width of the model's answer: the number of labels, 1 for a regression."""
        return len(self.labels) or 1

    def model_labels(self) -> dict[str, Any]:
        """Return what a model's configuration says of its outputs."""
        if self.kind is Kind.NONE:
            return {}
        names = dict(enumerate(self.labels or ("LABEL_0",)))
        return {
            "num_labels": self.outputs,
            "id2label": names,
            "label2id": {name: i for i, name in names.items()},
            "problem_type": "multi_label_classification" if self.kind is Kind.MULTI_LABEL else None,
        }

    @property
    def label_type(self) -> pa.DataType:
        """Arrow type of the label column; words have their classes in `spans`, and leave the column empty."""
        match self.kind:
            case Kind.CLASSIFICATION | Kind.TOKEN_CLASSIFICATION:
                return pa.int32()
            case Kind.REGRESSION | Kind.NONE:
                return pa.float64()
            case Kind.MULTI_LABEL:
                return pa.list_(pa.int32())
            case _:
                assert_never(self.kind)

    def read_label(self, field: object) -> Label:
        """Turn a field of a file into a label: a name or an index of `labels`, a finite number, a set, or tags.

        An absent or empty field is a row without a label. Raises `ValueError` that says what is allowed.
        """
        if field is None or field == "":
            return None
        match self.kind:
            case Kind.CLASSIFICATION:
                return class_of(field, self.labels)
            case Kind.REGRESSION:
                return number_of(field)
            case Kind.MULTI_LABEL:
                return classes_of(field, self.labels)
            case Kind.TOKEN_CLASSIFICATION:
                return tags_of(field, self.labels)
            case Kind.NONE:
                return None
            case _:
                assert_never(self.kind)
