# The image of a worker on Dataflow, or on any runner that starts its Python workers in containers.
#
#     docker build --tag REGISTRY/offline-distill:VERSION .
#
# Python's minor version is that of the machine jobs are submitted from: functions travel as pickles. Workers with a
# GPU: give as BASE an image with its libraries and the same Python.

ARG PYTHON=3.11
ARG BASE=python:${PYTHON}-slim
ARG BEAM=2.77.0

FROM apache/beam_python${PYTHON}_sdk:${BEAM} AS beam

FROM ${BASE}

WORKDIR /opt/offline-distill
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY schemas schemas
COPY augment augment
COPY distill distill
COPY pipelines pipelines
RUN pip install --no-cache-dir --constraint constraints.txt '.[pipelines,dataflow]'

# Models, and data that `augment` reads, lie here at the paths that the configuration names.
# COPY models /models
ENV HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

COPY --from=beam /opt/apache/beam /opt/apache/beam
ENTRYPOINT ["/opt/apache/beam/boot"]
