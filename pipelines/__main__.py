"""`python -m pipelines` is `distill`."""

from pipelines.command import main

main()
