"""Vocabularies: which pieces of a tokenizer are words where a word stands."""

from dataclasses import dataclass, field

import tokenizers

Surroundings = tuple[str, str]
"""What stands before and after a word without a space between, a space before that included."""


@dataclass(frozen=True)
class Vocabulary:
    """The text of every piece, "" for ids without one, and how to tell that a piece is a whole word in its place.

    WordPiece says it by a prefix of the pieces that continue a word, and TinyBERT's script goes by it. For all other
    tokenizers a piece counts if it gives one piece again when it is put in place and tokenised.
    """

    tokenizer: tokenizers.Tokenizer
    words: list[str]
    continues: list[bool]
    prefixed: bool
    remembered: dict[tuple[str, Surroundings], bool] = field(default_factory=dict)

    @classmethod
    def of(cls, tokenizer: tokenizers.Tokenizer, size: int) -> "Vocabulary":
        """Read the pieces of a tokenizer; `size` is how many ids its model knows."""
        prefix = getattr(tokenizer.model, "continuing_subword_prefix", None) or ""
        words = [""] * size
        continues = [False] * size
        for piece, id in tokenizer.get_vocab(with_added_tokens=True).items():
            if prefix or tokenizer.decoder is None:
                words[id], continues[id] = piece, bool(prefix) and piece.startswith(prefix)
            else:
                words[id] = tokenizer.decoder.decode([piece]).strip()
        return cls(tokenizer, words, continues, bool(prefix))

    def holds(self, id: int, original: int, around: Surroundings) -> bool:
        """Whether a piece is a word where another piece stands."""
        if not self.words[id]:
            return False
        if self.prefixed:
            return self.continues[id] == self.continues[original]
        key = (self.words[id], around)
        found = self.remembered.get(key)
        if found is None:
            found = self.remembered[key] = self.is_one_piece(*key)
        return found

    def is_one_piece(self, word: str, around: Surroundings) -> bool:
        """Whether a word between its neighbours is one piece that covers just it."""
        before, after = around
        encoding = self.tokenizer.encode(before + word + after, add_special_tokens=False)
        start, end = len(before), len(before) + len(word)
        # A piece of a word after a space may begin with the space, and some tokenizers count it to the piece.
        covering = [(s, e) for s, e in encoding.offsets if s < end and e > start]
        return len(covering) == 1 and covering[0][1] == end and not (before + word)[covering[0][0] : start].strip()
