"""Tasks: what a row's texts and label mean."""

import math
from enum import StrEnum
from typing import Annotated, Any, Self

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.example import Label


class Kind(StrEnum):
    """How a label is to be understood."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    NONE = "none"
    """Raw text: neither labels nor a metric. It is what `data.corpus` has, and is never written."""


class Metric(StrEnum):
    """Metrics of the GLUE tasks."""

    ACCURACY = "accuracy"
    F1 = "f1"
    MATTHEWS = "matthews"
    PEARSON = "pearson"
    SPEARMAN = "spearman"
    PEARSON_SPEARMAN = "pearson_spearman"


REGRESSION_METRICS = (Metric.PEARSON, Metric.SPEARMAN, Metric.PEARSON_SPEARMAN)


class Task(BaseModel):
    """Kind, text columns, label column, labels in the order of the teacher's outputs, metric.

    Columns are names, or positions counted from 0 in files without a header.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = Kind.CLASSIFICATION
    texts: Annotated[tuple[str | int, ...], Field(min_length=1, max_length=2)]
    label: str | int | None = None
    labels: tuple[str, ...] = ()
    metric: Metric = Metric.ACCURACY

    @model_validator(mode="before")
    @classmethod
    def default_metric(cls, data: object) -> object:
        """A regression is judged by correlation unless told otherwise."""
        if isinstance(data, dict) and data.get("labels", ()) is None:
            data = {key: value for key, value in data.items() if key != "labels"}
        if isinstance(data, dict) and data.get("kind") == Kind.REGRESSION and data.get("metric") is None:
            return {**data, "metric": Metric.PEARSON_SPEARMAN}
        return data

    @model_validator(mode="after")
    def agree(self) -> Self:
        """Refuse a task whose parts contradict each other."""
        if self.kind is Kind.NONE:
            return self
        if self.kind is Kind.CLASSIFICATION:
            if len(self.labels) < 2:
                raise ValueError("a classification needs `labels`: at least two names, in the teacher's order")
            if len(set(self.labels)) < len(self.labels):
                raise ValueError("`labels` names one label twice")
            if self.metric in REGRESSION_METRICS:
                raise ValueError(f"metric `{self.metric}` is for a regression")
            if self.metric is Metric.F1 and len(self.labels) != 2:
                raise ValueError("metric `f1` is for two labels, the second being the positive one")
        elif self.labels:
            raise ValueError("a regression has no `labels`")
        elif self.metric not in REGRESSION_METRICS:
            raise ValueError(f"metric `{self.metric}` is for a classification")
        return self

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
            "problem_type": None,
        }

    @property
    def label_type(self) -> pa.DataType:
        """Arrow type of the label column."""
        return pa.int32() if self.kind is Kind.CLASSIFICATION else pa.float64()

    def read_label(self, field: object) -> Label:
        """Turn a field of a file into a label: a name or an index of `labels`, or a finite number.

        An absent or empty field is a row without a label. Raises `ValueError` that says what is allowed.
        """
        if field is None or field == "":
            return None
        if isinstance(field, bool):
            field = str(field).lower()
        if self.kind is Kind.REGRESSION:
            if isinstance(field, str) and "_" in field:
                raise ValueError("a number")  # Python alone reads 1_0 as ten.
            try:
                number = float(field)  # type: ignore[arg-type]
            except OverflowError:
                number = math.inf
            except (TypeError, ValueError):
                raise ValueError("a number") from None
            if not math.isfinite(number):
                raise ValueError("a finite number")
            return number
        name = str(field)
        if name in self.labels:
            return self.labels.index(name)
        # Longer digits are no index, and thousands of them are more than Python turns into a number.
        short = len(name) <= len(str(len(self.labels)))
        if short and name.isascii() and name.isdigit() and str(int(name)) == name and int(name) < len(self.labels):
            return int(name)
        raise ValueError(f"one of {', '.join(self.labels)}, or its index 0 to {len(self.labels) - 1}")
