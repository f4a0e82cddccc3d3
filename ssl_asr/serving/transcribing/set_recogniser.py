"""A bundle's words for speech that has texts: as `transcribe` finds them, with what is known of each speaker kept."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from ssl_asr.progress import Progress
from ssl_asr.serving.engine import Engine
from ssl_asr.serving.transcribing.inputs import AudioInput
from ssl_asr.serving.transcribing.transcriber import Transcriber
from ssl_asr.store.ledger import Reject
from ssl_asr.store.utterance import Utterance


@dataclass(frozen=True)
class RecognisedSet:
    """`words` by utterance; `rejects` are those whose audio can't be used."""

    words: dict[str, tuple[str, ...]]
    rejects: tuple[Reject, ...]


def recognise_set(engine: Engine, utterances: Sequence[Utterance], name: str) -> RecognisedSet:
    """The words of `utterances`; `name` is that of the progress.

    As in a run, the energy floor and the running mean of a speaker go on from one utterance to the next, in their
    order. An utterance that can't be used leaves them as they were.
    """
    transcriber = Transcriber(engine, confidences=False)
    words, rejects = dict[str, tuple[str, ...]](), list[Reject]()
    progress = Progress(f"recognising with {name}", len(utterances), "utterances")
    speaker, known = "", engine.new_speaker()
    for each in sorted(utterances, key=lambda utterance: (utterance.speaker, utterance.order)):
        if each.speaker != speaker:
            speaker, known = each.speaker, engine.new_speaker()
        heard = deepcopy(known)
        try:
            audio = AudioInput(each.id, each.audio, each.offset, each.duration, each.channel)
            transcript = transcriber.transcribe(audio, speaker=heard)
        except ValueError as error:
            rejects.append(Reject(each.id, str(error)))
        else:
            words[each.id], known = tuple(word.word for word in transcript.words), heard
        progress.advance()
    return RecognisedSet(words, tuple(rejects))
