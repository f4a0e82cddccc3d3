"""Open speech: recorded English with exact texts that anybody can fetch, or a synthesised stand-in.

Three Debian packages give 7,800 clips, 5.7 h (see `packages`). Prompts in other languages give babble noise, and one
game's sound effects give the other noise. If they can't be fetched, a small synthesiser speaks made-up sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ssl_asr.corpus.open_speech import accents, asterisk, drascula, packages, synthesis
from ssl_asr.corpus.open_speech.clips import LAYOUT, Clip, indexed, list_asterisk, unpack_drascula, unpack_queen
from ssl_asr.corpus.open_speech.noise_clips import NoiseClips, with_dev
from ssl_asr.store.utterance import Utterance

BABBLE = {
    "train": ("asterisk-core-sounds-fr-gsm", "asterisk-core-sounds-it-gsm"),
    "test": ("asterisk-core-sounds-es-gsm", "asterisk-core-sounds-ru-gsm"),
}


@dataclass(frozen=True)
class OpenSpeech:
    """All utterances of open speech, with texts, and how they are tested.

    `held_out` names the speakers of each test set who must not be in training data. `seen` names the speakers of the
    test sets that hold other sentences of training speakers. `noise` has the keys "train", "dev" and "test". `source`
    is one line for the user: what was used, and why. `other_channels` are test sets of another kind of recording than
    most training speech.
    """

    utterances: tuple[Utterance, ...]
    held_out: Mapping[str, frozenset[str]]
    seen: Mapping[str, frozenset[str]]
    noise: Mapping[str, NoiseClips]
    source: str
    other_channels: frozenset[str] = frozenset()


def open_speech(cache: str, *, accented: bool = False) -> OpenSpeech:
    """Recorded speech from the cache, fetched if necessary; synthesised speech if it can't be fetched.

    `accented` adds talkers with simulated accents at simulated places: see `accents`.
    """
    root = Path(cache).expanduser().absolute()
    try:
        folders = packages.fetch(root)
    except packages.FetchError as error:
        speech = _synthesised(root, str(error))
    else:
        speech = _recorded(root, folders)
    return _with_accents(speech, root) if accented else speech


def _with_accents(speech: OpenSpeech, root: Path) -> OpenSpeech:
    added = accents.accented_speech(root)
    hours = sum(utterance.duration for utterance in added) / 3600
    return replace(
        speech,
        utterances=(*speech.utterances, *added),
        held_out={**speech.held_out, accents.CORPUS: accents.tested_talkers()},
        source=f"{speech.source}; {len(added)} sentences, {hours:.2f} h, of synthetic voices with simulated accents "
        "at simulated places",
    )


def _recorded(root: Path, folders: Mapping[str, Path]) -> OpenSpeech:
    parts: dict[str, Callable[[Path], Iterable[Clip]]] = {
        "queen": lambda out: unpack_queen(folders["flight-of-the-amazon-queen"], out),
        "drascula": lambda out: unpack_drascula(folders["drascula"], out),
        "asterisk": lambda out: list_asterisk(
            folders["asterisk-core-sounds-en-wav"], folders["asterisk-core-sounds-en"], out
        ),
    }
    utterances = []
    for name, unpack in parts.items():
        utterances += indexed(root / "clips" / f"{name}-{LAYOUT}", unpack)
    speakers = {utterance.speaker for utterance in utterances}
    effects = sorted(str(file) for file in (root / "clips" / f"queen-{LAYOUT}" / "effects").iterdir())
    clips = {
        use: NoiseClips(
            tuple(tuple(map(str, asterisk.clips(folders[name]))) for name in names),
            # Neighbours in the list are often variants of one sound, so the list is cut into halves.
            tuple(effects[: len(effects) // 2] if use == "train" else effects[len(effects) // 2 :]),
        )
        for use, names in BABBLE.items()
    }
    hours = sum(utterance.duration for utterance in utterances) / 3600
    return OpenSpeech(
        utterances=tuple(utterances),
        held_out={
            "bob": frozenset({"queen-bob"}),
            "drascula": frozenset(
                name for name in speakers if name.startswith("drascula-") and name != f"drascula-{drascula.HERO}"
            ),
            "asterisk": frozenset(name for name in speakers if name.startswith("asterisk-")),
        },
        seen={"joe": frozenset({"queen-joe"})},
        noise=with_dev(clips),
        source=f"recorded: {len(utterances)} clips, {hours:.2f} h, of {len(folders)} Debian packages in {root}",
        # Of one of these corpora only the hero is in training, a tenth of it; of the other nobody.
        other_channels=frozenset({"drascula", "asterisk"}),
    )


def _synthesised(root: Path, reason: str) -> OpenSpeech:
    folder = root / "clips" / f"synthetic-{synthesis.VERSION}"

    def unpack(out: Path) -> Iterator[Clip]:
        for spoken in synthesis.speak_all(out):
            yield Clip(spoken.id, spoken.file, spoken.speaker, spoken.text, "synthetic")

    utterances = indexed(folder, unpack)
    clips = {
        use: NoiseClips(
            tuple(
                tuple(utterance.audio for utterance in utterances if utterance.speaker == speaker)
                for speaker in speakers
            ),
            (),
        )
        for use, speakers in synthesis.BABBLE.items()
    }
    kept_for_noise = {speaker for speakers in synthesis.BABBLE.values() for speaker in speakers}
    hours = sum(utterance.duration for utterance in utterances) / 3600
    return OpenSpeech(
        utterances=tuple(utterance for utterance in utterances if utterance.speaker not in kept_for_noise),
        held_out={"unseen": frozenset(synthesis.HELD_OUT)},
        seen={"seen": frozenset(synthesis.SEEN)},
        noise=with_dev(clips),
        source=f"synthesised because {reason}: {len(utterances)} sentences, {hours:.2f} h; shows the pipeline, "
        "proves no gain",
    )
