"""Models that propose words and judge copies: the only place in this folder for torch."""
