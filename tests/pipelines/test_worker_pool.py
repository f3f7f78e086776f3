"""Pools of workers for engines elsewhere: two executors of a machine, who know nothing of each other."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import psutil
import pytest
from apache_beam.portability.api import (
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
)
from conftest import free_port, wait_for

from schemas.errors import ResourceError


class Executor(beam_fn_api_pb2_grpc.BeamFnControlServicer, beam_provision_api_pb2_grpc.ProvisionServiceServicer):
    """What an engine's executor is to a worker: it tells it its job's options, and holds the line."""

    def __init__(self) -> None:
        self.called: list[grpc.ServicerContext] = []
        self.server = grpc.server(ThreadPoolExecutor(4))
        beam_fn_api_pb2_grpc.add_BeamFnControlServicer_to_server(self, self.server)
        beam_provision_api_pb2_grpc.add_ProvisionServiceServicer_to_server(self, self.server)
        self.address = f"localhost:{self.server.add_insecure_port('localhost:0')}"
        self.server.start()

    def GetProvisionInfo(self, request, context):
        return beam_provision_api_pb2.GetProvisionInfoResponse(info=beam_provision_api_pb2.ProvisionInfo())

    def Control(self, requests, context):
        self.called.append(context)
        yield from (answer for answer in requests if isinstance(answer, beam_fn_api_pb2.InstructionRequest))

    @property
    def start(self) -> beam_fn_api_pb2.StartWorkerRequest:
        """What it asks a pool for."""
        request = beam_fn_api_pb2.StartWorkerRequest(worker_id="1-1")
        for endpoint in (request.provision_endpoint, request.control_endpoint, request.logging_endpoint):
            endpoint.url = self.address
        return request


@pytest.fixture
def pool() -> Iterator[tuple[subprocess.Popen, int]]:
    port = free_port()
    running = subprocess.Popen([sys.executable, "-m", "pipelines", "pool", f"--port={port}"])
    wait_for(port)
    yield running, port
    running.terminate()
    running.wait(timeout=60)


def asked(port: int) -> beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub:
    return beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(grpc.insecure_channel(f"localhost:{port}"))


def soon(there) -> bool:
    end = time.monotonic() + 120
    while not there() and time.monotonic() < end:
        time.sleep(0.05)
    return there()


def workers(pool: subprocess.Popen) -> list[psutil.Process]:
    found = psutil.Process(pool.pid).children()
    return [each for each in found if each.status() != psutil.STATUS_ZOMBIE]


def test_what_one_executor_stops_goes_on_for_another(pool):
    running, port = pool
    first, second = Executor(), Executor()
    for executor in (first, second):
        assert not asked(port).StartWorker(executor.start).error
        assert soon(lambda executor=executor: executor.called)
    asked(port).StopWorker(beam_fn_api_pb2.StopWorkerRequest(worker_id="1-1"))
    first.server.stop(0)
    assert soon(lambda: len(workers(running)) == 1), "a worker ends when its executor hangs up"
    assert second.called[0].is_active()
    second.server.stop(0)
    assert soon(lambda: not workers(running))


def test_a_pool_that_ends_takes_its_workers_with_it(pool):
    running, port = pool
    executor = Executor()
    asked(port).StartWorker(executor.start)
    assert soon(lambda: executor.called)
    (worker,) = workers(running)
    running.send_signal(signal.SIGTERM)
    running.wait(timeout=60)
    assert not worker.is_running()
    executor.server.stop(0)


def test_an_executor_that_is_gone_is_said(pool):
    _, port = pool
    executor = Executor()
    executor.server.stop(0).wait()
    assert "RpcError" in (said := asked(port).StartWorker(executor.start).error) or "Unavailable" in said


def test_a_port_that_is_taken_is_said(pool):
    _, port = pool
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "pool", f"--port={port}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == ResourceError.code
    assert f"port {port} to be free" in done.stderr
    assert "Traceback" not in done.stderr
