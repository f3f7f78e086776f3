"""Text from data on a terminal or in a file of ours: what cannot be seen is written out."""

from rich.console import Console


class Terminal(Console):
    """A console whose reader may go away: the command line says so by its exit code."""

    def on_broken_pipe(self) -> None:
        """Leave it to the command line."""
        raise BrokenPipeError


def printable(text: str) -> str:
    """Return a text in which control and other invisible characters are escaped as in YAML."""
    return "".join(character if character.isprintable() else f"\\U{ord(character):08X}" for character in text)
