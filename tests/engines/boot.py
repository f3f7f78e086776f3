"""Starts an SDK worker where there is no container: asks the runner for the job's options and becomes the worker.

A worker pool calls it as it would call the program that Beam's images start with. It installs nothing: the packages
are those of the interpreter that runs it.
"""

import argparse
import os
import sys

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from google.protobuf import json_format


def main() -> None:
    arguments = argparse.ArgumentParser()
    for name in ("id", "logging_endpoint", "provision_endpoint", "control_endpoint"):
        arguments.add_argument(f"--{name}", default="")
    given, _ = arguments.parse_known_args()
    with grpc.insecure_channel(given.provision_endpoint) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        request = beam_provision_api_pb2.GetProvisionInfoRequest()
        info = service.GetProvisionInfo(request, metadata=[("worker_id", given.id)]).info
    os.environ["WORKER_ID"] = given.id
    os.environ["PIPELINE_OPTIONS"] = json_format.MessageToJson(info.pipeline_options)
    for name, told, argument in (
        ("LOGGING", info.logging_endpoint.url, given.logging_endpoint),
        ("CONTROL", info.control_endpoint.url, given.control_endpoint),
    ):
        os.environ[f"{name}_API_SERVICE_DESCRIPTOR"] = f'url: "{told or argument}"'
    # Nobody reads the pipe that the pool gives its workers as output: one that says much would wait for ever.
    os.dup2(2, 1)
    os.execv(sys.executable, [sys.executable, "-m", "apache_beam.runners.worker.sdk_worker_main"])


if __name__ == "__main__":
    main()
