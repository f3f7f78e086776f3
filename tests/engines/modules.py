"""What the engines are made of: job servers from Maven, Spark and Flink from Python packages, in a folder of their own.

Nothing of it is installed beside the project: Spark and Flink bring Python packages that only their jars are wanted of.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "build" / "engines"
BEAM_JAVA = os.environ.get("BEAM_JAVA", "2.62.0")
"""Version of Beam's Java modules; that of the Python package where they can be had."""

RUNNERS = {"spark": "beam-runners-spark-3", "flink": "beam-runners-flink-1.19"}
PACKAGES = ("pyspark==3.5.9", "apache-flink-libraries==1.19.3")
PATIENCE = 900
"""Seconds that a download may take."""


class Missing(Exception):
    """Something that the engines need cannot be had here; says what."""


def fetch() -> None:
    """Put everything into the folder, where it is not there yet; raises `Missing`."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise Missing(f"`{program}` is not on the path")
    for engine, runner in RUNNERS.items():
        maven = ["mvn", "--quiet", "--batch-mode", f"--file={HERE / 'pom.xml'}", f"-Dbeam.version={BEAM_JAVA}"]
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
        once(job_server(engine), [*maven, f"-Drunner={runner}", *goal, f"-DoutputDirectory={job_server(engine)}"])
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
    once(FOLDER / "packages", [*install, "--no-deps", "--target", str(FOLDER / "packages"), *PACKAGES])


def once(folder: Path, command: list[str]) -> None:
    """Fill a folder by a command, unless it was filled before."""
    mark = folder.with_name(f"{folder.name}.complete")
    if mark.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise Missing(f"no answer within {PATIENCE} s: {' '.join(command)}") from None
    if done.returncode:
        raise Missing(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-500:]}")
    mark.touch()


def job_server(engine: str) -> Path:
    """Folder of the jars of an engine's job server."""
    return FOLDER / f"{engine}-job-server-{BEAM_JAVA}"


def spark_home() -> Path:
    """Folder of Spark."""
    return FOLDER / "packages" / "pyspark"


def flink_home() -> Path:
    """Folder of Flink."""
    return FOLDER / "packages" / "pyflink"


if __name__ == "__main__":
    try:
        fetch()
    except Missing as missing:
        sys.exit(f"the engines cannot be put together: {missing}")
