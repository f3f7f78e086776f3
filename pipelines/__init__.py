"""Beam pipelines and the command line: the only folder that imports Beam."""
