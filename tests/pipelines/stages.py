"""Stages as a process of their own runs them; what tests kill."""

from pathlib import Path


def run_stage(configuration: str, stage: str, options: tuple[str, ...] = ()) -> None:
    """Run one stage of a configuration from its beginning."""
    from pipelines.run import Run
    from schemas.load_configuration import load_configuration

    getattr(Run(load_configuration(Path(configuration)), runner_options=options), stage)()
