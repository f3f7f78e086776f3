"""The nouns and contracts that every other folder shares; imports nothing of ours and no torch."""
