"""A standalone Spark cluster: a master and two workers of one core each."""

import os
from pathlib import Path

from engines import modules
from engines.cluster import HOST, WORKERS, Cluster, command_of, descendants, free_port, java, told, workers_from

MAIN = "org.apache.beam.runners.spark.SparkJobServerDriver"
SPECULATION = ("", ".interval=200ms", ".multiplier=1.1", ".quantile=0.3", ".minTaskRuntime=1s")


class Spark(Cluster):
    """Spark; with `speculation` it runs a second copy of a task that takes longer than others."""

    name = "spark"
    worker = "worker-"

    def __init__(self, folder: Path, *, speculation: bool = False) -> None:
        super().__init__(folder)
        self.port, self.page = free_port(), free_port()
        self.speculation = speculation

    def up(self) -> None:
        """Start the master, the workers, the job server and the pool."""
        home = modules.spark_home()
        place = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": HOST, "SPARK_SCALA_VERSION": "2.12"}
        jars = [home / "jars"]
        deploy = "org.apache.spark.deploy"
        at = ["--host", HOST]
        master = [f"{deploy}.master.Master", *at, "--port", str(self.port), "--webui-port", str(self.page)]
        self.start("master", [*java("256m", jars), *master], **place)
        for number in range(WORKERS):
            sized = ["--cores", "1", "--memory", "1g", "--work-dir", str(self.folder / f"worker-{number}")]
            worker = [f"{deploy}.worker.Worker", *at, "--webui-port", str(free_port()), *sized, self.address]
            self.start(f"worker-{number}", [*java("256m", jars), *worker], **place)
        self.wait_until(lambda: told(f"http://{HOST}:{self.page}/json/").get("aliveworkers") == WORKERS, "two workers")
        # Ours first: the libraries that Spark brings are older than those Beam was built with.
        jars = [modules.job_server("spark"), *jars]
        self.start_job_server(MAIN, jars, f"--spark-master-url={self.address}", settings=self.settings)
        self.start_pool()

    @property
    def settings(self) -> list[str]:
        """What a job server tells Spark of its jobs."""
        # First in the executors too, or they find a library of Spark's own that is too old, and tasks are tried again.
        ours = modules.job_server("spark")
        settings = [f"executor.extraClassPath={ours}/*", "executor.memory=512m", "executor.cores=1"]
        settings += ["ui.enabled=false", f"driver.host={HOST}"]
        if self.speculation:
            settings += [f"speculation{each or '=true'}" for each in SPECULATION]
        return [f"-Dspark.{each}" for each in settings]

    @property
    def named_options(self) -> list[str]:
        """What a user of `SparkRunner` gives; the jar is the job server's."""
        jar = modules.one_jar("spark", MAIN, modules.spark_home() / "jars")
        return [
            "--runner=SparkRunner",
            f"--spark_master_url={self.address}",
            f"--spark_job_server_jar={jar}",
            *(f"--job_server_jvm_properties={each}" for each in self.settings),
            *workers_from(self.pool_port),
        ]

    @property
    def address(self) -> str:
        """Where the master listens."""
        return f"spark://{HOST}:{self.port}"

    def kill_engine_worker(self) -> None:
        """Kill an executor; the worker that had started it starts another."""
        for number in range(WORKERS):
            for process in descendants(self.running[f"worker-{number}"].pid):
                if "CoarseGrainedExecutorBackend" in command_of(process):
                    os.kill(process.pid, 9)
                    return
        raise RuntimeError("no executor to kill")

    def speculated(self) -> bool:
        """Whether a task was run a second time because it took long."""
        return "speculatable" in (self.folder / "job-server.log").read_text(errors="replace")
