"""The README.md beside the files for sherpa-onnx: how they are used, and what differs there."""

from __future__ import annotations

_TEXT = """\
# {title} for sherpa-onnx

A senone model, its decoding graph and its words, for [sherpa-onnx](https://k2-fsa.github.io/sherpa/onnx/) 2.0.1. It
is loaded as a `zipformer2_ctc` model with a graph. `model.onnx` holds all behind the filter bank: energy floor,
running mean, stacking, network, priors and acoustic scale, with their state. `HCLG.fst` is the decoding graph.

```bash
pip install sherpa-onnx==2.0.1 numpy soundfile
python recognise.py talk.wav
```

`recognise.py` shows what a program has to set, by `sherpa-onnx.json`.

- **Words** are the numbers in `.words` of a result; `words.txt` has their text. `.text` and `.tokens` are senones. A
  result changes where the graph may end, which is at words' ends.
- **The filter bank** has to be set as in `recognise.py`, or words are wrong without any message. Only the Python
  package of sherpa-onnx can set it. Its programs, servers and other languages take 20 Hz to half the rate minus
  400 Hz, and samples in [-1, 1], so they can't run this model.
- **Times**: sherpa-onnx takes a frame for 40 ms, here it is {frame} ms, and the first {first} frames stand for no
  audio. The time of a token is {factor:g} x its `timestamps` value, minus {ahead:g} s.
- **Endpoints**: `<blk>` is silence, so the rules work. Trailing silence is counted in the same 40 ms frames: for
  1.2 s of silence give {trailing:g} s. The length of an utterance is counted in seconds. No rule asks the language
  model, as one of ssl_asr's engine does. At a reset the network's state goes on and the search begins at that frame,
  so a word that is being said may be lost; the engine begins in the last pause.
- **The end** of the audio needs 0.3 s of zeros. The engine mirrors the signal there instead, so the scores of the
  last frames differ a little.
- **The search** has a beam of 16 nats, which can't be changed, and the engine's limit of active states
  (`ctc_max_active`). Where the narrower beam of the engine prunes, sherpa-onnx may find a better path.
- A stream is a speaker who was not heard before.
"""


def readme(title: str, *, frame: float, first: int) -> str:
    """Markdown; `frame` is the seconds of a frame, `first` the number of those that stand for no audio."""
    return _filled(_TEXT, title, frame, first)


_TRANSDUCER = """\
# {title} for sherpa-onnx

A transducer for [sherpa-onnx](https://k2-fsa.github.io/sherpa/onnx/) 2.0.1, which loads it as a `zipformer2` one that
streams. `encoder.onnx` holds all behind the filter bank: energy floor, running mean, stacking, network and the
joiner's projection, with their state. `decoder.onnx` is the stateless predictor.

```bash
pip install sherpa-onnx==2.0.1 numpy soundfile
python recognise.py talk.wav
```

`recognise.py` shows what a program has to set, by `sherpa-onnx.json`.

- **The filter bank** has to be set as in `recognise.py`, or words are wrong without any message. Only the Python
  package of sherpa-onnx can set it. Its programs, servers and other languages take 20 Hz to half the rate minus
  400 Hz, and samples in [-1, 1], so they can't run this model.
- **The search** is sherpa-onnx's greedy one, which puts out at most one word piece in a frame of {frame} ms. The
  engine may put out more. The `modified_beam_search` of sherpa-onnx prefers the highest mean log-probability of a
  piece, the engine's beam search the most probable text. So words may differ from the engine's.
- **Times**: sherpa-onnx takes a frame for 40 ms, here it is {frame} ms, and the first {first} frames stand for no
  audio. The time of a token's emission is {factor:g} x its `timestamps` value, minus {ahead:g} s.
- **Endpoints**: trailing silence is counted in the same 40 ms frames: for 1.2 s of silence give {trailing:g} s.
- **The end** of the audio needs 0.3 s of zeros. The engine mirrors the signal there, so the last frames differ a
  little.
- A stream is a speaker who was not heard before.
"""


def transducer_readme(title: str, *, frame: float, first: int) -> str:
    """As `readme`, of a transducer."""
    return _filled(_TRANSDUCER, title, frame, first)


def _filled(text: str, title: str, frame: float, first: int) -> str:
    return text.format(
        title=title,
        frame=round(1000 * frame),
        first=first,
        factor=frame / 0.04,
        ahead=round(first * frame, 3),
        trailing=round(1.2 * 0.04 / frame, 3),
    )
