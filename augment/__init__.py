"""Text in, more text out: words, candidates, draws, strategies."""
