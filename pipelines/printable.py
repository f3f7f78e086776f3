"""Text from data on a terminal or in a file of ours: what cannot be seen is written out."""


def printable(text: str) -> str:
    """Return a text in which control and other invisible characters are escaped as in YAML."""
    return "".join(character if character.isprintable() else f"\\U{ord(character):08X}" for character in text)
