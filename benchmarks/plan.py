"""What a plan says beside what then happens: the time of teaching, and the bytes of what is kept.

    .venv/bin/python -m benchmarks.plan [--quick] [--model FOLDER --sentences FILE]

- seconds: what `distill plan` says that teaching will take, from a calibration on 64 rows, by the time it takes, with
  the start of Beam and the loading of the teacher; 0.7 to 1.3 is wanted.
- bytes_logits, bytes_hidden, bytes_attention, bytes_tokens: what it says of a group, by the bytes of its shards; 0.9 to
  1.1 is wanted before anything is tokenised.

One worker of one thread, TinyBERT's recipe for a two-layer student; a teacher of random weights costs what any of its
shape does. The last line is one JSON object.
"""

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks import synthetic
from benchmarks.inputs import Inputs, read_arguments
from benchmarks.measure import finish, seconds
from pipelines.planner import Planner
from pipelines.run import Run
from schemas.cache import Cache
from schemas.load_configuration import load_configuration


def write_configuration(folder: Path, arguments: argparse.Namespace) -> Path:
    """Write rows and the configuration of a run without copies."""
    inputs = Inputs(folder, arguments)
    sentences = inputs.sentences[: 300 if inputs.quick else 4000]
    splits = {"train": sentences[20:], "dev": sentences[:20]}
    for split, some in splits.items():
        lines = [json.dumps({"sentence": text, "label": i % 2}) for i, text in enumerate(some)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = folder / "run.yaml"
    configuration = {
        "name": "planned",
        "output": str(folder / "run"),
        "task": {"texts": ["sentence"], "label": "label", "labels": ["negative", "positive"]},
        "data": {split: str(folder / f"{split}.jsonl") for split in splits},
        "teacher": str(synthetic.classifier(folder / "teacher", inputs.model)),
        "student": {"layers": 2},
        "augment": {"copies": 0},
        "teach": {"at_chance": "allow"},
        "workers": {"count": 1},
    }
    path.write_text(json.dumps(configuration), encoding="utf-8")
    return path


def compare(run: Run) -> dict[str, float]:
    """Plan, teach, and divide one by the other."""
    planner = Planner(run)
    (planned,) = (line for line in planner.plan().lines if line.stage == "teach")
    groups = planner.groups("teacher", planner.asked("teacher"))
    foretold = {answers.name: planner.volume.bytes(answers) for answers in groups}
    run.augment()
    spent, _ = seconds(run.teach)
    print(f"teaching: planned {planned.seconds:.3g} s, took {spent:.3g} s", flush=True)
    ratios = {"seconds": planned.seconds / spent}
    for group in Cache(run.configuration.cache_path).groups():
        manifest = group.manifest()
        family = {"teacher": manifest.settings.get("family"), "tokens": "tokens"}.get(group.name.split(".")[0])
        if family:
            expected = foretold.get(group.name, planner.volume.token_bytes)
            print(f"{group.name}: planned {expected:,.0f} bytes, took {manifest.bytes:,}", flush=True)
            ratios[f"bytes_{family}"] = expected / manifest.bytes
    return ratios


def main() -> None:
    arguments = read_arguments(__doc__, "under a minute on two cores")
    with tempfile.TemporaryDirectory() as folder:
        path = write_configuration(Path(folder), arguments)
        finish(compare(Run(load_configuration(path))))


if __name__ == "__main__":
    main()
