"""What a codec costs a student: the task's metric against bytes a row, at equal steps, over paired seeds.

    .venv/bin/python -m benchmarks.codec_quality --model FOLDER --train FILE --dev FILE [--rows 4000 --steps 2000 ...]

A teacher is fine-tuned once. Its answers are kept in every codec, and a two-layer student learns from each with
TinyBERT's recipe, once for every seed: the seed decides the order of rows and all else that is drawn, so students of
one seed differ by the codec alone. Files are TSV with a text and a label. The last line is one JSON object: for each
codec bytes a row, the codec's error, the metric's mean and standard deviation over seeds, the mean paired difference
from f32 with its standard error, the mean share of rows of which the student says another thing than f32's, and how far
its logits move from f32's and from those of the next seed, by the size of the latter.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from schemas.cache import Cache
from schemas.codec import Codec

REFERENCE = Codec.F32


def distill(verb: str, configuration: dict[str, Any], path: Path, *options: str) -> None:
    """Run a verb in a process of its own."""
    path.write_text(json.dumps(configuration), encoding="utf-8")
    command = [sys.executable, "-m", "pipelines", verb, str(path), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def some_rows(source: Path, target: Path, count: int) -> None:
    """Copy the head of a file."""
    with source.open(encoding="utf-8") as file:
        target.write_text("".join(line for line, _ in zip(file, range(count + 1), strict=False)), encoding="utf-8")


def base(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return what all runs have in common."""
    some_rows(Path(arguments.train), folder / "train.tsv", arguments.rows)
    return {
        "name": "codecs",
        "task": {"texts": [arguments.text], "label": arguments.label, "labels": arguments.labels.split(",")},
        "data": {"train": str(folder / "train.tsv"), "dev": arguments.dev},
        "teacher": f"finetune {arguments.model}",
        "student": {"layers": 2},
        "augment": {"copies": 0},
        "teach": {"max_length": 64, "attention": "scores", "embedding": "keep"},
        "train": {"steps": arguments.steps, "arms": ["distilled"], "evaluate_every": arguments.steps},
        "workers": {"count": 1},
    }


def logits_of(student: Path, texts: Sequence[str]) -> np.ndarray:
    """Return a student's logits of texts."""
    model = AutoModelForSequenceClassification.from_pretrained(student).eval()
    tokenizer = AutoTokenizer.from_pretrained(student)
    found = []
    with torch.inference_mode():
        for start in range(0, len(texts), 32):
            batch = tokenizer(list(texts[start : start + 32]), padding=True, truncation=True, return_tensors="pt")
            found.append(model(**batch).logits.numpy())
    return np.concatenate(found)


def moved(found: np.ndarray, exact: np.ndarray) -> float:
    """Return the root mean square of a difference by that of what it differs from."""
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def texts_of(path: str, column: str) -> list[str]:
    """Return the texts of a TSV file."""
    head, *rows = [line.split("\t") for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return [row[head.index(column)] for row in rows]


def measured(settings: dict[str, Any], folder: Path, codec: Codec, seeds: int) -> dict[str, Any]:
    """Keep the teacher's answers in a codec and train a student for every seed."""
    cache = folder / codec.value
    values, logits = [], []
    texts = texts_of(settings["data"]["dev"], settings["task"]["texts"][0])
    for seed in range(seeds):
        output = folder / f"{codec.value}-{seed}"
        run = {**settings, "output": str(output), "cache": str(cache), "seed": seed}
        run["teach"] = {**settings["teach"], "codec": codec.value}
        # Without copies nothing that is kept depends on the seed, so later seeds only train.
        for verb in ("augment", "teach", "train") if seed == 0 else ("train",):
            distill(verb, run, folder / "run.yaml")
        arms = json.loads((output / "report.json").read_text())["arms"]
        values.append(next(arm["value"] for arm in arms if arm["name"] == "distilled"))
        logits.append(logits_of(output / "students/distilled", texts))
        print(f"{codec.value}, seed {seed}: {values[-1]:.4f}", flush=True)
    manifests = [group.manifest() for group in Cache(cache).groups() if group.name.startswith("teacher.")]
    errors = {manifest.group: error.relative for manifest in manifests for error in manifest.errors.values()}
    size = sum(manifest.bytes for manifest in manifests) / manifests[0].rows
    return {"values": values, "logits": logits, "bytes_per_row": size, "errors": errors}


def summary(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return means over seeds, and differences from the exact codec in pairs."""
    exact, exactly = (found[REFERENCE.value][key] for key in ("values", "logits"))
    seeds = [moved(each, other) for each, other in zip(exactly, exactly[1:] + exactly[:1], strict=True)]
    result = {}
    for codec, facts in found.items():
        differences = [value - other for value, other in zip(facts["values"], exact, strict=True)]
        pairs = list(zip(facts["logits"], exactly, strict=True))
        others = [np.mean(each.argmax(1) != other.argmax(1)) for each, other in pairs]
        result[codec] = {
            "bytes_per_row": round(facts["bytes_per_row"]),
            "errors": {group: float(f"{error:.3g}") for group, error in facts["errors"].items()},
            "mean": round(statistics.mean(facts["values"]), 4),
            "deviation": round(statistics.stdev(facts["values"]), 4),
            "difference": round(statistics.mean(differences), 4),
            "other_verdicts": round(statistics.mean(others), 5),
            "logits_moved": float(f"{statistics.mean(moved(*pair) for pair in pairs):.3g}"),
            "logits_moved_by_seed": float(f"{statistics.mean(seeds):.3g}"),
            "standard_error": round(statistics.stdev(differences) / len(differences) ** 0.5, 4),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "train", "dev"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--text", default="sentence", help="column of the text")
    parser.add_argument("--label", default="label", help="column of the label")
    parser.add_argument("--labels", default="negative,positive", help="names of the labels, in order")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--codecs", default=",".join(Codec), help="f32 among them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        settings = base(arguments, folder)
        first = {**settings, "output": str(folder / "made"), "cache": str(folder / "made" / "cache")}
        for verb in ("augment", "teach"):
            distill(verb, first, folder / "run.yaml")
        settings["teacher"] = str(folder / "made" / "teacher")
        found = {
            codec.value: measured(settings, folder, codec, arguments.seeds)
            for codec in map(Codec, arguments.codecs.split(","))
        }
        print(json.dumps(summary(found)))


if __name__ == "__main__":
    main()
