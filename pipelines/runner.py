"""The runner that Beam's options name: which one it is, whether anybody answers for it, why it takes no job."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions, StandardOptions

from pipelines.worker_error import brought_home
from schemas.errors import ConfigurationError, DistillError, ResourceError

ANSWER = 10.0
"""Seconds that a job server may take to answer."""


def is_dataflow(options: PipelineOptions) -> bool:
    """Whether the runner is Dataflow's, by any of the names that Beam knows it by."""
    return "dataflow" in (options.view_as(StandardOptions).runner or "").lower()


def check_job_server(options: PipelineOptions) -> None:
    """Refuse a job server that nobody answers for; Beam would ask for minutes."""
    endpoint = options.view_as(PortableOptions).job_endpoint or ""
    if not re.fullmatch(r"[^/]+:\d+", endpoint):
        return
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError) as error:
        raise ResourceError(
            f"a job server at {endpoint}", str(error), "start one there, or correct `--job_endpoint` after `--`"
        ) from None


@contextmanager
def submitted(options: PipelineOptions) -> Iterator[None]:
    """Say of a job that a runner elsewhere does not even take why; a runner of this process does all of it here."""
    runner = options.view_as(StandardOptions).runner or ""
    try:
        yield
    except Exception as error:
        if re.search("fnapi|direct", runner.lower()) or isinstance(brought_home(error), DistillError):
            raise
        raise ConfigurationError(
            f"a job that {runner} takes",
            f"{type(error).__name__}: {str(error)[:500]}",
            "correct what stands after `--`, or start what it names; `work/engine.log` of the cache may say more",
        ) from error
