"""What the engines are made of: job servers from Maven, Spark and Flink from Python packages, in a folder of their own.

Nothing of it is installed beside the project: Spark and Flink bring Python packages that only their jars are wanted of.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "build" / "engines"
BEAM_JAVA = os.environ.get("BEAM_JAVA", "2.62.0")
"""Version of Beam's Java modules; that of the Python package where they can be had."""

RUNNERS = {"spark": "beam-runners-spark-3", "flink": "beam-runners-flink-1.19"}
PACKAGES = ("pyspark==3.5.9", "apache-flink-libraries==1.19.3")
OPENED = (
    *("java.lang", "java.lang.invoke", "java.net", "java.nio", "java.time", "java.util", "java.util.concurrent"),
    *("sun.nio.ch", "sun.security.action"),
)
"""Packages of Java's own that the engines look into."""
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


def one_jar(engine: str, main: str, *further: Path) -> Path:
    """Make one jar that starts a job server, as the published ones do; it names its own jars, then further folders'."""
    opened = " ".join(f"java.base/{package}" for package in OPENED)
    jars = [jar for folder in (job_server(engine), *further) for jar in sorted(folder.glob("*.jar"))]
    fields = {"Manifest-Version": "1.0", "Main-Class": main, "Add-Opens": opened}
    fields["Class-Path"] = " ".join(jar.as_uri() for jar in jars)
    path = FOLDER / f"{job_server(engine).name}.jar"
    with ZipFile(path, "w") as made:
        made.writestr("META-INF/MANIFEST.MF", "".join(folded(f"{name}: {text}") for name, text in fields.items()))
    return path


def folded(line: str, width: int = 70) -> str:
    """Return a line of a manifest in pieces, of which all but the first begin with a space."""
    return "\r\n ".join(line[i : i + width] for i in range(0, len(line), width)) + "\r\n"


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
