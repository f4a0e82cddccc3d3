"""How labeled speech is aligned with its texts, and which senones its frames are divided into."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssl_asr.recipe.identity import Affects
from ssl_asr.recipe.section import Positive, Section

WrongTexts = Literal["keep", "weigh", "reject"]


class Hmm(Section):
    senones: Annotated[int, Field(gt=0, le=65535), Affects("senones")] = 3183
    # Alignments of labeled speech made elsewhere, instead of a flat start: kaldi:DIR (with ali.*.gz, final.mdl and
    # phones.txt) or ctm:FILE (of phones), local paths where the command runs. What they hold counts, not their names.
    alignments: Annotated[str | None, Field(pattern=r"^(kaldi|ctm):."), Affects()] = None
    # How words are pronounced. english: by cmudict, words of a-z; graphemes: each letter is a phone, of any language;
    # or a path or URI of lines `word PHONE PHONE ...`, as Kaldi and MFA write them. What a file holds counts, not its
    # name.
    lexicon: Annotated[str, Field(min_length=1), Affects()] = "english"
    # Classes of phones that the senone tree asks about: phonetic ones are known of english alone, clustered ones are
    # found in the labeled speech. None: phonetic where they are known.
    questions: Annotated[Literal["phonetic", "clustered"] | None, Affects()] = None
    flat_start_iterations: Annotated[Positive, Affects("flat-start")] = 24
    min_frames_per_senone: Annotated[Positive, Affects("senones")] = 15
    # So often a network like the teacher is trained, and aligns all speech again for the networks that follow.
    realign: Annotated[int, Field(ge=0, le=3), Affects()] = 0
    # Labeled utterances whose text is found to belong to other audio. keep: they are trained on like all others;
    # weigh: by the probability that the text is right; reject: not at all.
    wrong_texts: Annotated[WrongTexts, Affects("flat-start", "alignments")] = "keep"
    # Of the lexicon to train G2P on; 0: words outside it are rejected. Graphemes need none.
    g2p_words: Annotated[int, Field(ge=0), Affects("lexicon")] = 126000
