"""Worker pools: Python workers for engines elsewhere, on machines without containers."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from apache_beam.portability.api import (
    beam_fn_api_pb2,
    beam_fn_api_pb2_grpc,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
)
from google.protobuf import json_format

from schemas.errors import ResourceError

WORKER = "apache_beam.runners.worker.sdk_worker_main"


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Starts a process for every worker that an engine asks for, with the packages of this interpreter.

    Beam's own pool knows workers by their ids alone. Two executors of one machine give theirs the same, and the first
    that was done would stop the other's.
    """

    def __init__(self) -> None:
        self.workers: list[subprocess.Popen] = []
        self.lock = threading.Lock()

    def StartWorker(
        self, request: beam_fn_api_pb2.StartWorkerRequest, context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StartWorkerResponse:
        """Start a worker; what went wrong is said to whoever asked."""
        try:
            environment = environment_of(request)
            with self.lock:
                self.workers = [each for each in self.workers if each.poll() is None]
                # What workers print goes where the pool's own words go.
                self.workers.append(subprocess.Popen([sys.executable, "-m", WORKER], env=environment))
        except (OSError, grpc.RpcError) as error:
            return beam_fn_api_pb2.StartWorkerResponse(error=f"{type(error).__name__}: {error}")
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(
        self, request: beam_fn_api_pb2.StopWorkerRequest, context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StopWorkerResponse:
        """Stop nothing: a worker ends by itself when its engine hangs up, and an id may be that of several."""
        return beam_fn_api_pb2.StopWorkerResponse()


def environment_of(request: beam_fn_api_pb2.StartWorkerRequest) -> dict[str, str]:
    """Return the variables that tell a worker its id, whom to answer, and the options of its job."""
    with grpc.insecure_channel(request.provision_endpoint.url) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        asked = beam_provision_api_pb2.GetProvisionInfoRequest()
        info = service.GetProvisionInfo(asked, metadata=[("worker_id", request.worker_id)]).info
    control = info.control_endpoint.url or request.control_endpoint.url
    logging = info.logging_endpoint.url or request.logging_endpoint.url
    return {
        **os.environ,
        "WORKER_ID": request.worker_id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "CONTROL_API_SERVICE_DESCRIPTOR": f'url: "{control}"',
        "LOGGING_API_SERVICE_DESCRIPTOR": f'url: "{logging}"',
    }


def serve(host: str, port: int) -> None:
    """Serve until this process is stopped; raises `ResourceError` where somebody else listens at the port.

    Whoever reaches the port may have a worker started that runs what they send it.
    """
    server = grpc.server(ThreadPoolExecutor(), options=[("grpc.so_reuseport", 0)])
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(WorkerPool(), server)
    try:
        server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise ResourceError(f"port {port} to be free", str(error), "end what listens there, or name another") from None
    server.start()
    print(f"workers are started for whoever asks at port {port}", flush=True)
    server.wait_for_termination()
