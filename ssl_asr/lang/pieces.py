"""Word pieces as text: what a sequence of them says. Whoever has the list of pieces needs no sentencepiece for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BLANK_ID, UNKNOWN_ID = 0, 1
BLANK, UNKNOWN = "<blk>", "<unk>"
WORD_BEGIN = "▁"


@dataclass(frozen=True)
class PieceWord:
    """A word and where its pieces are in the sequence that was read: [first, last + 1)."""

    word: str
    first: int
    last: int


class Pieces:
    """`symbols` are the pieces that are not written, by their numbers: the blank and symbols such as `<sot>`."""

    def __init__(self, pieces: tuple[str, ...], symbols: frozenset[int]) -> None:
        self.pieces, self.symbols = pieces, symbols

    def __len__(self) -> int:
        return len(self.pieces)

    def decode(self, ids: Sequence[int]) -> str:
        """The text; blanks and symbols leave no trace, an unknown character is `<unk>`."""
        return " ".join(each.word for each in self.words(ids))

    def words(self, ids: Sequence[int]) -> list[PieceWord]:
        """A symbol ends a word. A word without a character, which is what the piece "▁" may leave, is none."""
        words: list[PieceWord] = []
        text, first = "", 0
        for index, piece in enumerate([*ids, None]):
            written = None if piece is None or piece in self.symbols else self.pieces[piece]
            if written is None or written.startswith(WORD_BEGIN):
                if text:
                    words.append(PieceWord(text, first, index - 1))
                text, first = "", index
            text += (written or "").removeprefix(WORD_BEGIN)
        return words
