"""Every command of the README does what it says, shortened where it would take long."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import run_yaml
from verbs import DISTILL

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
LINES = [line for kind, block in BLOCKS if kind == "" for line in block.splitlines()]
INLINE = re.findall(r"`((?:distill|make) [a-z][^`]*)`", README)
COMMANDS = list(
    dict.fromkeys(
        line.split("#")[0].strip().removeprefix(".venv/bin/")
        for line in [*LINES, *INLINE]
        if line.startswith(("make ", "distill ", ".venv/"))
    )
)
MODULES = re.findall(r"`python -m (benchmarks\.\w+)[^`]*`", README)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, teacher_folder, masked_language_model_folder, vectors_file) -> Path:
    """Where a user stands: a file of rows, a configuration, the examples of the checkout."""
    folder = tmp_path_factory.mktemp("user") / "main"
    path = run_yaml(folder, teacher_folder, masked_language_model_folder, vectors_file, rows=20)
    path.rename(folder / "tiny.yaml")
    shutil.copy(folder / "train.tsv", folder / "mydata.tsv")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


def test_the_readme_begins_with_the_two_commands():
    assert LINES[:2] == [line for line in LINES if line.startswith(("make quickstart", "make test"))][:2]


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make ")])
def test_make_knows_the_target(command):
    done = subprocess.run(["make", "--dry-run", *shlex.split(command)[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_a_benchmark_ends_with_its_ratios(module, folder):
    """`make quickstart` and `make test` themselves are what CI runs; the demo is test_quickstart's."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--quick"], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all(value > 0 for value in json.loads(done.stdout.splitlines()[-1]).values())


@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith("make ")])
def test_a_command_runs(command, folder, job_service):
    job, pool, environment = job_service
    _, *arguments = shlex.split(
        command.replace("host:8099", f"localhost:{job}").replace("localhost:50000", f"localhost:{pool}")
    )
    if arguments[0] == "init":
        (folder / "run.yaml").unlink(missing_ok=True)
    elif "run.yaml" in arguments:
        # What a user does after `init`: name a teacher, a masked language model, vectors.
        shutil.copy(folder / "tiny.yaml", folder / "run.yaml")
    done = subprocess.run(
        [DISTILL, *arguments], cwd=folder, env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_student_opens_as_the_readme_says(folder):
    shutil.copy(folder / "tiny.yaml", folder / "run.yaml")
    subprocess.run([DISTILL, "run", "run.yaml"], cwd=folder, check=True, capture_output=True)
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    code = code.replace("runs/<name>", str(folder / "run"))
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True)
