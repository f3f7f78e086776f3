"""Runs the pipelines on a real Spark and a real Flink on this machine, disturbs them, and compares the bytes.

    make engines

Needs Java 17 and Maven. The last line is one JSON object: for each engine and fault `true` or what differed, and what
two workers gain over one beside what two bare processes gain.
"""

import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engines import faults, modules, scaling
from engines.cluster import Cluster
from engines.flink import Flink
from engines.spark import Spark
from engines.trial import Trial

CLUSTERS: tuple[type[Cluster], ...] = (Spark, Flink)


def main() -> None:
    # What was started must end also where somebody ends us politely.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    found: dict[str, dict] = {}
    try:
        print("putting job servers, Spark and Flink together, in build/engines", flush=True)
        modules.fetch()
        try_all(found)
    except modules.Missing as missing:
        found["engines"] = {"missing": str(missing)}
    except KeyboardInterrupt:
        found["engines"] = {"stopped": "by Ctrl-C"}
    finally:
        print(json.dumps(found))
    sys.exit(not all(is_well(outcome) for each in found.values() for outcome in each.values()))


def is_well(outcome: faults.Outcome | float) -> bool:
    """Whether a fault left the bytes it should, or two workers gained what they should."""
    return outcome is True if isinstance(outcome, bool | str) else outcome >= scaling.LEAST


def try_all(found: dict[str, dict]) -> None:
    """Do all faults to all clusters; outcomes by cluster and fault are there also where it is broken off."""
    with (
        tempfile.TemporaryDirectory(prefix="engines-") as folder,
        Trial(Path(folder)) as trial,
        Trial(Path(folder) / "scaling", shards=scaling.SHARDS, layers=scaling.LAYERS) as larger,
    ):
        print("teaching on this machine alone, for what clusters are compared with", flush=True)
        trial.prepare()
        larger.make_rows()
        for kind in CLUSTERS:
            outcomes = found[kind.name] = {}
            with kept(outcomes, "start"), kind(Path(folder) / f"{kind.name}-cluster") as cluster:
                for fault in faults.FAULTS:
                    outcomes[fault.__name__] = shown(cluster, fault, trial)
                with kept(outcomes, "two_workers_vs_one"):
                    outcomes["two_workers_vs_one"] = round(scaling.two_workers_vs_one(larger, cluster), 3)
        speculating = Spark(Path(folder) / "speculating-cluster", speculation=True)
        with kept(found["spark"], "slow_worker"), speculating as cluster:
            found["spark"]["slow_worker"] = shown(cluster, faults.slow_worker, trial)


def shown(cluster: Cluster, fault: faults.Fault, trial: Trial) -> faults.Outcome:
    """Do one fault to a cluster, and say how it went."""
    outcomes: dict[str, faults.Outcome] = {}
    with kept(outcomes, "outcome"):
        outcomes["outcome"] = fault(trial, cluster)
    print(f"{cluster.name}: {fault.__name__}: {outcomes['outcome']}", flush=True)
    return outcomes["outcome"]


@contextmanager
def kept(outcomes: dict, name: str) -> Iterator[None]:
    """Keep what went wrong as the outcome, so that the others still have their turn."""
    try:
        yield
    except Exception as error:
        outcomes[name] = f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
