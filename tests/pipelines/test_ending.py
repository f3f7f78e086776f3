"""Runs that are stopped, or whose disk is full, through the command line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from conftest import run_yaml, sentences, write_tsv
from typer.testing import CliRunner

from pipelines.command import app

DISTILL = Path(sys.executable).parent / "distill"


def distill(*arguments: object):
    """Run a verb in this process."""
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def models(teacher_folder, masked_language_model_folder, vectors_file):
    return teacher_folder, masked_language_model_folder, vectors_file


def alive_in(process: psutil.Process, group: int) -> bool:
    """Whether a process of a group is still at work; nobody may be there to bury the dead."""
    try:
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_ends_a_run_with_one_message(models, tmp_path, small_disk, workers):
    path = run_yaml(tmp_path, *models, workers={"count": workers})
    done = distill("augment", path, f"output={small_disk / 'run'}")
    assert done.exit_code == 0, done.output
    done = subprocess.run(
        [DISTILL, "teach", path, f"output={small_disk / 'run'}", "teach.codec=f32"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 7, done.stderr
    assert "space" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_leaves_no_half_of_a_configuration(tmp_path, small_disk):
    write_tsv(tmp_path / "train.tsv", sentences(60))
    with (small_disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    done = distill("init", tmp_path / "train.tsv", "--output", small_disk / "run.yaml")
    assert done.exit_code == 7, done.output
    assert "run.yaml" in done.output
    assert "Traceback" not in done.output
    assert sorted(small_disk.iterdir()) == [small_disk / "filler"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_says_how_to_go_on(models, tmp_path, number, code):
    path = run_yaml(tmp_path, *models, workers={"count": 2}, augment={"copies": 40}, rows=400)
    # A shell starts what runs in the background deaf to Ctrl-C; tests may run there.
    running = subprocess.Popen(
        [DISTILL, "run", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    engine = tmp_path / "run/cache/work/engine.log"
    while not engine.exists() and running.poll() is None:
        time.sleep(0.05)
    time.sleep(1)
    os.killpg(running.pid, number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == code, said
    assert f"distill run {path}" in said
    assert "Traceback" not in said
    assert not [process for process in psutil.process_iter() if alive_in(process, running.pid)]
