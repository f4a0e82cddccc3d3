"""Word pieces: the outputs of a transducer, found in the run's own texts by a unigram model.

Kudo, "Subword regularization" (2018), by sentencepiece. Piece 0 is `<blk>`, the transducer's blank; piece 1 is
`<unk>`, a character that no text of training holds. A piece that begins with "▁" begins a word.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

import sentencepiece

from ssl_asr.lang.pieces import BLANK, BLANK_ID, UNKNOWN, UNKNOWN_ID, WORD_BEGIN, Pieces
from ssl_asr.store.ledger import checksum


class WordPieces(Pieces):
    """Of the bytes of a model; ValueError with `name` if they are damaged. Texts are words between single spaces."""

    def __init__(self, model: bytes, name: str = "the word-piece model") -> None:
        self.model = model
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
            known = [self._processor.id_to_piece(index) for index in range(self._processor.get_piece_size())]
        except RuntimeError as error:
            raise ValueError(f"{name} is damaged; delete it and run again") from error
        if known[:2] != [BLANK, UNKNOWN]:
            raise ValueError(f"{name} has no {BLANK} and {UNKNOWN} as its first pieces; delete it and run again")
        symbols = frozenset(index for index in range(len(known)) if self._processor.is_control(index))
        super().__init__(tuple(known), symbols)

    @cached_property
    def checksum(self) -> str:
        return checksum(self.model)

    def encode(self, text: str) -> list[int]:
        """Never `BLANK_ID` or a symbol's id; `UNKNOWN_ID` for characters that no text of training holds."""
        ids: list[int] = self._processor.encode(text)
        return ids

    def symbol_id(self, symbol: str) -> int:
        """ValueError if the model was trained without this symbol."""
        if not self._processor.is_control(found := self._processor.piece_to_id(symbol)):
            raise ValueError(f"the word pieces have no symbol {symbol}; train them with it")
        return int(found)


def train_word_pieces(texts: Iterable[str], size: int, symbols: Sequence[str] = ()) -> WordPieces:
    """`size` pieces, with the blank, the unknown one and `symbols`, such as `<sot>`, whose ids follow from 2.

    The same texts in any order give the same bytes: only how often each word occurs is told to sentencepiece, which
    also keeps memory to that of the vocabulary. ValueError if the texts are too few for this size, or have more
    characters.
    """
    counts = Counter(word for text in texts for word in text.split())
    if not counts:
        raise ValueError("no text has a word, so there is nothing to make word pieces of; check the transcripts")
    characters = set[str]().union(*counts)
    # sentencepiece leaves out words with these in silence: one stands for a space, the others for nothing at all.
    if reserved := sorted(characters & {WORD_BEGIN, "▅", "\0"}):
        raise ValueError(f"a text holds {reserved[0]!r}, which word pieces need for themselves; take it out")
    least = len(characters) + len((BLANK, UNKNOWN, WORD_BEGIN, *symbols))
    if size < least:
        raise ValueError(f"{size} word pieces can't spell {len(characters)} characters; ask for {least} or more")
    pieces = WordPieces(_train(counts, size, symbols))
    if len(pieces) < size:
        raise ValueError(
            f"the texts are too few for {size} word pieces; ask for {len(pieces)} or less, or give more text"
        )
    return pieces


def _train(counts: Counter[str], size: int, symbols: Sequence[str]) -> bytes:
    """With as many pieces as there are, where there are fewer than `size`."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(f"{word}\t{count}" for word, count in sorted(counts.items())),
        input_format="tsv",
        model_writer=model,
        model_type="unigram",
        vocab_size=size,
        hard_vocab_limit=False,
        # A symbol is a control piece: no text, whatever it holds, is encoded as one.
        control_symbols=list(symbols),
        pad_id=BLANK_ID,
        pad_piece=BLANK,
        unk_id=UNKNOWN_ID,
        unk_piece=UNKNOWN,
        bos_id=-1,
        eos_id=-1,
        # Texts are normalised where they are read; every character of theirs is kept.
        normalization_rule_name="identity",
        character_coverage=1.0,
        max_sentence_length=max(len(word.encode()) for word in counts) + 64,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()
