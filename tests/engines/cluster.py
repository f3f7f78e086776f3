"""A cluster on this machine: an engine's own daemons, Beam's job server, and a pool of Python workers."""

import json
import shutil
import socket
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import psutil
from engines.daemons import Daemons
from engines.modules import OPENED

HOST = "127.0.0.1"
JAVA = shutil.which("java") or "java"
WORKERS = 2


class Cluster(Daemons):
    """What all clusters have: where jobs are sent to, and the Python workers that do them."""

    name: str
    worker: str
    """What the names of daemons begin with that hand work to Python."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.job_port, self.pool_port = free_port(), free_port()

    @property
    def options(self) -> list[str]:
        """What stands after `--` on the command line."""
        return [
            "--runner=PortableRunner",
            f"--job_endpoint=localhost:{self.job_port}",
            *workers_from(self.pool_port),
        ]

    @property
    def named_options(self) -> list[str]:
        """What stands there instead where the runner goes by the engine's name, and starts a job server of its own."""
        raise NotImplementedError

    def start_pool(self, name: str = "pool", port: int | None = None, **environment: str) -> None:
        """Start a pool of Python workers."""
        port = port or self.pool_port
        self.start(name, [sys.executable, "-m", "pipelines", "pool", f"--port={port}"], **environment)
        self.wait_until(lambda: is_open(port), "a pool of Python workers")

    def start_job_server(self, main: str, jars: Sequence[Path], *arguments: str, settings: Sequence[str] = ()) -> None:
        """Start Beam's job server."""
        ports = [f"--job-port={self.job_port}", f"--artifact-port={free_port()}", f"--expansion-port={free_port()}"]
        files = [f"--artifacts-dir={self.folder / 'artifacts'}"]
        command = [*java("512m", jars, settings), main, *ports, *files, *arguments]
        self.start("job-server", command, SPARK_LOCAL_IP=HOST)
        self.wait_until(lambda: is_open(self.job_port), "Beam's job server")

    def python_workers(self) -> list[psutil.Process]:
        """Return the Python workers that are alive."""
        return [each for each in descendants(self.running["pool"].pid) if "sdk_worker_main" in command_of(each)]

    def kill_engine_worker(self) -> None:
        """Kill one of the engine's own workers that hands work to Python."""
        raise NotImplementedError

    def leave_one(self) -> None:
        """End all of the engine's own workers but one, for good."""
        for name in [each for each in self.running if each.startswith(self.worker)][1:]:
            self.kill(name)

    def speculated(self) -> bool:
        """Whether a task was run a second time because it took long."""
        return False


def workers_from(port: int, workers: int = WORKERS) -> list[str]:
    """Return the options that have Python workers started by a pool."""
    return [
        "--environment_type=EXTERNAL",
        f"--environment_config=localhost:{port}",
        f"--parallelism={workers}",
    ]


def java(memory: str, jars: Sequence[Path], settings: Sequence[str] = ()) -> list[str]:
    """Return the beginning of a command that starts a program of some folders of jars."""
    opened = [f"--add-opens=java.base/{each}=ALL-UNNAMED" for each in OPENED]
    return [JAVA, f"-Xmx{memory}", *opened, *settings, "-cp", ":".join(f"{folder}/*" for folder in jars)]


def descendants(process: int) -> list[psutil.Process]:
    """Return what a process started, and what that started."""
    return psutil.Process(process).children(recursive=True)


def command_of(process: psutil.Process) -> str:
    """Return the command of a process, nothing where it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def is_open(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as asked:
        return asked.connect_ex((HOST, port)) == 0


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        return found.getsockname()[1]


def told(address: str) -> dict:
    """Return what a daemon says of itself, nothing where it does not answer yet."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return {}
