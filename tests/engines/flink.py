"""A Flink cluster: a JobManager and two TaskManagers of one slot each."""

from itertools import count
from pathlib import Path

from engines import modules
from engines.cluster import HOST, WORKERS, Cluster, free_port, java, told, workers_from

SIZES = {
    "task.heap.size": "192m",
    "managed.size": "64m",
    "network.min": "32m",
    "network.max": "32m",
    "framework.heap.size": "96m",
    "framework.off-heap.size": "96m",
    "task.off-heap.size": "32m",
    "jvm-metaspace.size": "192m",
    "jvm-overhead.min": "64m",
    "jvm-overhead.max": "64m",
}

MAIN = "org.apache.beam.runners.flink.FlinkJobServerDriver"
LOGGING = """rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.name = console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1} %m%n
"""


class Flink(Cluster):
    """Flink, told to start a job again where it lost a worker: on its own it would end the job."""

    name = "flink"
    worker = "task-manager-"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port, self.page = free_port(), free_port()
        self.numbers = count()

    def up(self) -> None:
        """Start the JobManager, the TaskManagers, the job server and the pool."""
        settings = {
            "jobmanager.rpc.address": HOST,
            "jobmanager.rpc.port": self.port,
            "rest.address": HOST,
            "rest.port": self.page,
            "io.tmp.dirs": self.folder / "tmp",
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": 3,
            "restart-strategy.fixed-delay.delay": "1 s",
            "heartbeat.interval": 2000,
            "heartbeat.timeout": 20000,
            "taskmanager.numberOfTaskSlots": 1,
        }
        lines = "".join(f"{key}: {value}\n" for key, value in settings.items())
        (self.folder / "config.yaml").write_text(lines, encoding="utf-8")
        (self.folder / "log4j.properties").write_text(LOGGING, encoding="utf-8")
        entry = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        self.start_flink("job-manager", "512m", entry)
        for _ in range(WORKERS):
            self.start_task_manager()
        self.wait_until(lambda: self.overview().get("taskmanagers") == WORKERS, "two TaskManagers")
        self.start_job_server(
            MAIN,
            [modules.job_server("flink")],
            f"--flink-master={HOST}:{self.page}",
            f"--flink-conf-dir={self.folder}",
        )
        self.start_pool()

    @property
    def named_options(self) -> list[str]:
        """What a user of `FlinkRunner` gives; the jar is the job server's."""
        jar = modules.one_jar("flink", MAIN)
        return [
            "--runner=FlinkRunner",
            f"--flink_master={HOST}:{self.page}",
            f"--flink_job_server_jar={jar}",
            *workers_from(self.pool_port),
        ]

    def start_flink(self, name: str, memory: str, *entry: str) -> None:
        """Start one of Flink's own daemons."""
        settings = [f"-Dlog4j.configurationFile={self.folder / 'log4j.properties'}"]
        jars = [modules.flink_home() / "lib"]
        command = [*java(memory, jars, settings), *entry, "--configDir", str(self.folder)]
        self.start(name, command, FLINK_CONF_DIR=str(self.folder))

    def start_task_manager(self) -> None:
        """Start a TaskManager."""
        sizes = ["-D", "taskmanager.cpu.cores=1.0"]
        for key, value in SIZES.items():
            sizes += ["-D", f"taskmanager.memory.{key}={value}"]
        entry = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        self.start_flink(f"{self.worker}{next(self.numbers)}", "320m", entry, *sizes)

    def overview(self) -> dict:
        """What Flink says of itself."""
        return told(f"http://{HOST}:{self.page}/overview")

    def kill_engine_worker(self) -> None:
        """Kill a TaskManager and start another, as a resource manager would."""
        self.kill(next(name for name in self.running if name.startswith(self.worker)))
        self.start_task_manager()
