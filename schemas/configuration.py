"""The run configuration: what one YAML file says, checked key by key."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from schemas.codec import Codec
from schemas.mirror import Mirror
from schemas.signal import TEACHER
from schemas.task import Kind, Task

PLACEHOLDER = "path/or/hub-id"
"""What `distill init` writes where only the user knows the model."""

Positive = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Context = Literal["pair", "single"]
Precision = Literal["fp32", "bf16", "int8"]


class Section(BaseModel):
    """A part of the configuration; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def a_model(value: str | None) -> str | None:
    """Refuse what stands where a model is to be named and names none."""
    if value is not None and (PLACEHOLDER in value or value.strip() in ("", "finetune")):
        raise ValueError("the folder or hub id of a model")
    return value


def another_than_the_runs(value: str) -> str:
    """Refuse the name that the run's own teacher has, and those that other groups of a cache begin with."""
    if value == TEACHER:
        raise ValueError(f"another name than `{TEACHER}`, which is the run's own")
    if value in ("rows", "candidates", "tokens"):
        raise ValueError(f"another name than `{value}`, which other groups of a cache have")
    return value


def a_size(value: object, parse: ValidatorFunctionWrapHandler) -> ByteSize:
    """Refuse what is no number of bytes, by an example: the parser's own words have none."""
    try:
        return parse(value)
    except ValidationError:
        raise ValueError("bytes, as a whole number or with a unit: 20GB, 500MB, 1.5GiB") from None


Model = Annotated[str, AfterValidator(a_model)]
Size = Annotated[ByteSize, WrapValidator(a_size)]
OneOrMany = BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
"""A single name or path stands for a list of one."""
Names = Annotated[tuple[str, ...], OneOrMany]
TeacherName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$"), AfterValidator(another_than_the_runs)]


class Data(Section):
    """Where rows come from, and what to do with bad ones."""

    train: Names = Field(default=(), description="files or patterns")
    transfer: Names = Field(
        default=(), description="files or patterns of rows without labels, for the teacher to label; .txt: one a line"
    )
    corpus: Names = Field(
        default=(), description="raw text instead of rows: files, patterns, a folder or hub id of `datasets`"
    )
    dev: str | None = Field(
        default=None, description="for choosing the best checkpoint; without it, part of train is held out"
    )
    test: str | None = Field(default=None, description="for the report; dev where absent")
    format: str = Field(default="auto", description="a file of pipelines/readers; auto: by the name's ending")
    header: bool = Field(default=True, description="whether TSV and CSV files begin with column names")
    delimiter: str = Field(default=",", description="between the fields of CSV files")
    on_bad_row: Literal["fail", "reject"] = "fail"
    on_leak: Literal["fail", "drop", "allow"] = Field(default="fail", description="dev or test texts found in train")

    @field_validator("delimiter")
    @classmethod
    def one_character(cls, value: str) -> str:
        """Refuse what cannot part fields."""
        if len(value) != 1 or value in '"\r\n':
            raise ValueError("one character, neither a quote nor a line end")
        return value

    @field_validator("train")
    @classmethod
    def not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse a list of no files."""
        if not value:
            raise ValueError("one file or pattern at least")
        return value

    @model_validator(mode="after")
    def rows_or_text(self) -> Self:
        """Refuse data of no kind or of both kinds."""
        if not self.train and not self.corpus:
            raise ValueError("`train`, files of rows, or `corpus`, files of raw text")
        if self.corpus and (self.train or self.transfer or self.dev or self.test):
            raise ValueError(
                "`corpus` alone: raw text has no labels, so there is nothing to train or evaluate on beside it"
            )
        return self


class Corpus(Section):
    """How raw text becomes rows for general distillation; the defaults are those of TinyBERT's published script."""

    column: str = Field(default="text", description="of the text, in all formats but plain text")
    tokenizer: Model | None = Field(default=None, description="folder or hub id; default: the teacher's")
    sentences: Literal["split", "lines"] = Field(
        default="split", description="split: they end at a line's end or a full stop; lines: every line is one"
    )
    pieces: Annotated[int, Field(ge=8)] = Field(default=128, description="of a row, special ones among them")
    segments: Literal["pairs", "single"] = "pairs"
    short: Probability = Field(default=0.1, description="of a document whose rows are cut shorter")
    passes: Positive = 3
    mask: Probability = Field(default=0.0, description="share of a row's pieces that are masked")
    mask_unit: Literal["pieces", "words"] = "pieces"


class Protection(Section):
    """Words that no copy may change, beside the spans that rows bring along (`task.protected`)."""

    words: tuple[str, ...] = Field(default=(), description="in any case, accents aside")
    pattern: str | None = Field(default=None, description="regular expression, looked for in a word as written")

    @field_validator("pattern")
    @classmethod
    def compiles(cls, value: str | None) -> str | None:
        """Refuse what is no regular expression."""
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"a regular expression; {error}") from None
        return value


class SentenceSimilarity(Section):
    """How near a copy must stay to its original, by an encoder of sentences."""

    model: Model = Field(description="folder or hub id")
    least: Probability = Field(default=0.8, description="cosine; copies below it are left out and counted")


class Augmentation(Section):
    """How rows are grown; the defaults are those of TinyBERT's published script."""

    strategy: Annotated[tuple[str, ...], Field(min_length=1), OneOrMany] = Field(
        default=("tinybert",), description="a file of augment/strategies or a module of your own; or several"
    )
    dials: dict[str, dict[str, str | int | float | bool]] = Field(
        default={}, description="keyword arguments of a strategy, under its name"
    )
    masked_language_model: Model | None = Field(default=None, description="folder or hub id")
    vectors: str = Field(default="none", description="GloVe text or gensim file, or none")
    vectors_rows: Positive = Field(default=100_000, description="words read from the head of the file of vectors")
    context: Context = "pair"
    precision: Precision = Field(default="fp32", description="of the masked language model")
    copies: Annotated[int, Field(ge=0)] = Field(default=20, description="samples per row, N_a; 0 for none")
    candidates: Positive = Field(default=15, description="possible words per position, K")
    probability: Probability = Field(default=0.4, description="of replacing an eligible word, p_t")
    stop_words: str = Field(default="english", description="words that stay: english, none, or a file, a word a line")
    protect: Protection = Field(default=Protection(), description="words that stay wherever they stand")
    replace_entities: bool = Field(default=False, description="whether words inside entities are replaced too")
    drop: tuple[Literal["original", "punctuation", "special"], ...] = Field(
        default=(), description="candidates left out: the word itself, punctuation, pieces like [UNK]"
    )
    keep_case: bool = Field(default=False, description="whether a new word takes the case of the one it replaces")
    longest_distance: Probability = Field(default=1.0, description="largest share of its words a copy may change")
    similarity: SentenceSimilarity | None = Field(
        default=None,
        description="model and least cosine: copies that an encoder of sentences finds too far are left out",
    )
    batch_tokens: Positive = 4096

    @model_validator(mode="after")
    def needs_model(self) -> Self:
        """Refuse by its line what the default cannot do without; other strategies say themselves what they need."""
        if self.copies and self.masked_language_model is None and self.strategy == ("tinybert",):
            raise ValueError("`masked_language_model` is needed to make copies; `copies: 0` makes none")
        return self


DRAWING = ("copies", "probability", "drop", "keep_case", "longest_distance")
"""What no candidate depends on: it can be changed without asking a model again."""
NAMED = ("masked_language_model", "vectors", "stop_words", "similarity")
"""What is known by a fingerprint of what it names."""


class Teaching(Section):
    """How the teacher is asked and how its answers are kept."""

    codec: Codec = Field(default=Codec.F16, description="of hidden states and attention; logits are always f32")
    attention: Literal["scores", "input", "auto"] = Field(
        default="auto",
        description="kept of attention: scores, or the blocks' inputs, which take less for long rows",
    )
    embedding: Literal["keep", "compute"] = Field(
        default="keep",
        description="of the embedding output: kept, or computed from ids with the teacher's weights",
    )
    max_length: Positive = Field(default=128, description="pieces a row")
    longer: Literal["cut", "leave"] = Field(
        default="cut", description="rows of more pieces: cut and counted, or left without an answer and counted"
    )
    batch_tokens: Positive = 4096
    max_failed: Probability = Field(default=0.0, description="share of rows whose answers may be unusable")
    at_chance: Literal["fail", "allow"] = Field(
        default="fail", description="a teacher no better than chance on dev rows"
    )
    budget: Size | None = Field(default=None, description="most that its answers may take on disk, such as 20GB")

    @property
    def leaves_out(self) -> bool:
        """Whether rows that are too long are asked for at all."""
        return self.longer == "leave"


class FineTuning(Section):
    """How `teacher: finetune <model>` makes a teacher."""

    epochs: Annotated[float, Field(gt=0)] = 3.0
    learning_rate: Annotated[float, Field(gt=0)] = 3e-5
    batch: Positive = 32


class Student(Section):
    """The student's shape; what is left out is the teacher's."""

    start: str = Field(default="teacher", description="`teacher` (its layers), `random`, or a folder or hub id")
    layers: Positive | None = Field(default=None, description="blocks")
    width: Positive | None = None
    heads: Positive | None = None
    intermediate: Positive | None = None


Arm = Literal["scratch", "distilled", "distilled+augmented"]


class KeepCopies(Section):
    """Which of the cached copies an arm learns from, by what the teacher said of them; the default is all.

    Nothing is asked again. What the teacher says is the target, so a copy that drifted is still taught rightly.
    """

    agreement: bool = Field(default=False, description="only those with the verdict that their original has")
    confidence: Probability = Field(default=0.0, description="least probability of the verdict, of each word or label")

    @property
    def leaves_out(self) -> bool:
        """Whether some copy could be left out."""
        return self.agreement or self.confidence > 0


class Training(Section):
    """How students are trained; every arm takes the same number of steps."""

    recipe: str = Field(default="tinybert", description="a file of distill/recipes, or `package.module` of your own")
    dials: dict[str, str | int | float | bool] = Field(default={}, description="keyword arguments of the recipe")
    arms: tuple[Arm, ...] = ("scratch", "distilled", "distilled+augmented")
    steps: Positive | None = Field(default=None, description="in all; default: its epochs over the augmented rows")
    batch: Positive = 32
    learning_rate: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="of all stages; default: the recipe's"
    )
    precision: Literal["fp32", "bf16"] = "fp32"
    clip: Annotated[float, Field(gt=0)] = 1.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    evaluate_every: Positive = 200
    checkpoint_every: Positive = 500
    teacher: Literal["cached", "live"] = "cached"
    keep_copies: KeepCopies = Field(
        default=KeepCopies(), description="which cached copies distilled+augmented learns from"
    )


class Workers(Section):
    """Processes of the local runner and threads of each; `threads` is part of what a cache depends on."""

    count: Positive | None = Field(default=None, description="default: as many as cores")
    threads: Positive = 1
    accelerator: str | None = Field(
        default=None, description="of the steps with models, for runners that choose machines, in their words"
    )


class Configuration(Section):
    """One run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="of the data set; part of every row's id")
    output: str | None = Field(default=None, description="folder of results; default runs/<name>")
    cache: str | None = Field(default=None, description="folder or address in an object store; default <output>/cache")
    shards: Positive | None = Field(default=None, description="a power of two; default: about 256 originals each")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    task: Task
    data: Data
    corpus: Corpus = Corpus()
    teacher: Model = Field(description="folder or hub id of a fine-tuned model, or `finetune <model>`")
    teachers: dict[TeacherName, Model] = Field(
        default={}, description="more fine-tuned models, by names of your own that recipes know and caches keep"
    )
    fine_tuning: FineTuning = FineTuning()
    student: Student = Student()
    augment: Augmentation = Augmentation(copies=0)
    teach: Teaching = Teaching()
    train: Training = Training()
    workers: Workers = Workers()

    @model_validator(mode="before")
    @classmethod
    def of_a_corpus(cls, values: object) -> object:
        """Raw text has no task, and too much of it for a cache of answers: the student asks a live teacher."""
        if not isinstance(values, dict) or not isinstance(values.get("data"), dict) or not values["data"].get("corpus"):
            return values
        if values.get("task") is not None:
            raise ValueError("no `task` beside `data.corpus`: raw text has neither labels nor a metric")
        train = values.get("train") or {}
        if isinstance(train, dict):
            train = {"recipe": "tinybert_general", "arms": ["distilled"], "teacher": "live", **train}
        return {**values, "task": {"kind": Kind.NONE, "texts": ["text"]}, "train": train}

    @model_validator(mode="after")
    def fits_its_data(self) -> Self:
        """Refuse what rows need of raw text, and what raw text needs of rows."""
        if made := [name for name, model in self.teachers.items() if model.startswith("finetune ")]:
            raise ValueError(f"fine-tuned `teachers`: {made[0]} is still to be made; only `teacher` can be")
        if self.train.keep_copies.leaves_out and self.task.kind in (Kind.REGRESSION, Kind.NONE):
            raise ValueError("`train.keep_copies` as it is by default: only verdicts agree or are sure, not numbers")
        if not self.data.corpus:
            if self.task.kind is Kind.NONE:
                raise ValueError("a `task.kind` with labels; `none` is what `data.corpus` has")
            return self
        if self.mirror:
            raise ValueError("a `cache` in a folder with `data.corpus`: the store of its text is read at random")
        if self.augment.copies:
            raise ValueError("`augment.copies: 0` with `data.corpus`: a corpus is long enough")
        if self.base_teacher:
            raise ValueError("a `teacher` as it is with `data.corpus`: raw text has no labels to fine-tune on")
        if self.train.arms != ("distilled",):
            raise ValueError("`train.arms: [distilled]` with `data.corpus`: the other arms need labels or copies")
        if self.teach.max_length < self.corpus.pieces:
            raise ValueError("a `teach.max_length` of `corpus.pieces` or more, so that no row is cut")
        return self

    @field_validator("shards")
    @classmethod
    def power_of_two(cls, value: int | None) -> int | None:
        """Refuse a number of shards that doubling cannot reach."""
        if value is not None and value & (value - 1):
            raise ValueError("a power of two")
        return value

    @property
    def output_path(self) -> Path:
        """Folder of results."""
        return Path(self.output or f"runs/{self.name}")

    @property
    def cache_path(self) -> Path:
        """Folder of the cache."""
        if mirror := self.mirror:
            return mirror.folder
        return Path(self.cache) if self.cache else self.output_path / "cache"

    @property
    def mirror(self) -> Mirror | None:
        """What stands on this machine for a cache in an object store, `None` for a cache in a folder."""
        return Mirror.at(self.cache) if self.cache and "://" in self.cache else None

    @property
    def teacher_name(self) -> str:
        """The name under which a cache keeps what the run's teacher says: its own, if it is one of `teachers`."""
        return self.teacher if self.teacher in self.teachers else TEACHER

    @property
    def other_teachers(self) -> list[str]:
        """The names of the teachers beside the run's own."""
        return [name for name in self.teachers if name != self.teacher_name]

    def model_of(self, name: str) -> str:
        """Return the folder or hub id of a teacher, known by its name."""
        return self.teachers.get(name, self.teacher)

    @property
    def base_teacher(self) -> str | None:
        """The model a teacher is to be made from, if one is to be made."""
        found = re.fullmatch(r"finetune\s+(\S.*)", self.teacher.strip())
        return found.group(1) if found else None

    @property
    def proposing(self) -> dict[str, Any]:
        """What candidates depend on beside rows and models: all of `augment` that is not known to matter less."""
        if not self.augment.copies:
            return {"strategy": []}
        return {**self.augment.model_dump(mode="json", exclude={*DRAWING, *NAMED}), "threads": self.workers.threads}

    @property
    def drawing(self) -> dict[str, Any]:
        """What copies depend on beside rows and candidates."""
        if self.data.corpus:
            return {**self.corpus.model_dump(mode="json", exclude={"column", "tokenizer"}), "seed": self.seed}
        if not self.augment.copies:
            return {"copies": 0}
        return {
            **self.augment.model_dump(mode="json", include={*DRAWING}),
            "least_similarity": self.augment.similarity.least if self.augment.similarity else None,
            "seed": self.seed,
        }

    def limited(self, limit: int | None) -> Self:
        """Return the configuration of a run over the first `limit` rows, with folders of its own."""
        if limit is None:
            return self
        suffix = f".limit-{limit}"
        place, mark, query = (self.cache or "").partition("?")
        return self.model_copy(
            update={
                "output": f"{self.output_path}{suffix}",
                "cache": f"{place}{suffix}{mark}{query}" if self.cache else None,
            }
        )


def section_at(path: tuple[str, ...]) -> type[BaseModel] | None:
    """Return the section a dotted path leads to, `None` where the path leads elsewhere."""
    section: Any = Configuration
    for key in path:
        field = section.model_fields.get(key)
        if field is None:
            return None
        section = field.annotation
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            return None
    return section
