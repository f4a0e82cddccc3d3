"""Speed of the published networks on this machine's GPU: `python -m jobs.bench.gpu [--seconds S] [--device cpu]`.

For the teacher and the student of `paper` it prints how fast training goes (objective, gradient, clipping, update) on
batches of chunks, of the recipe's size and of larger ones, and on whole utterances; and how fast the teacher labels,
top-k included. Every row is measured in float32, in TensorFloat-32 as torch sets it for LSTMs by default, and in
bfloat16 under autocast. `share` is that of the same device's speed in a large matrix product of the same precision,
counting 6 operations a weight and frame for training and 2 for labelling. Batches are made up and lie in the device's
memory; labelling copies them there. Then one JSON object as the last line.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
import torch

from ssl_asr.frontend.stacking import STACK
from ssl_asr.labelling.teachers import NetworkLabeller
from ssl_asr.labelling.top_k import top_k
from ssl_asr.models.acoustic import AcousticModel, ModelSpec
from ssl_asr.recipe import ObjectiveSection, Recipe, Student, Teacher, load_recipe
from ssl_asr.store.targets import FRAME_SECONDS
from ssl_asr.training.data.batches import Batch, collate, cut
from ssl_asr.training.data.examples import Example, FrameTargets
from ssl_asr.training.objectives.objective import build_objective
from ssl_asr.training.optimisers import build_optimiser

Precision = Literal["float32", "tf32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
UTTERANCE = 300  # frames of 30 ms
CHUNKS = (32, 128, 512)  # to a batch
WHOLE = (1500, 12000, 48000)  # frames to a batch of whole utterances
GEMM_SIZE = 8192
COLUMNS = {"frames": 8, "precision": 11, "x real time": 13, "TFLOP/s": 9, "share": 7, "GB": 7}


@dataclass(frozen=True)
class Row:
    """`frames_s` are 30 ms frames a second, `gigabytes` the most memory that the device held."""

    network: str
    work: str
    batch_frames: int
    precision: Precision
    frames_s: float
    tflops: float
    share: float
    gigabytes: float

    @property
    def x_real_time(self) -> float:
        return self.frames_s * FRAME_SECONDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="for which each row is measured (default: 1)")
    there = ("cuda", "cpu") if torch.cuda.is_available() else ("cpu",)
    parser.add_argument("--device", choices=there, default=there[0], help=f"default: {there[0]}")
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.set_num_threads(1)
    print(f"{torch.cuda.get_device_name(device) if device.type == 'cuda' else 'one core'}, torch {torch.__version__}")
    peaks = {precision: gemm_tflops(device, precision, options.seconds) for precision in PRECISIONS}
    print("matrix product: " + ", ".join(f"{name} {peak:.1f} TFLOP/s" for name, peak in peaks.items()))
    print(f"{'network':<10}{'work':<10}" + "".join(f"{name:>{width}}" for name, width in COLUMNS.items()))
    rows = []
    for row in measured(load_recipe("paper"), device, peaks, options.seconds):
        speed = f"{row.x_real_time:>13,.0f}{row.tflops:>9.2f}{row.share:>7.3f}{row.gigabytes:>7.1f}"
        print(f"{row.network:<10}{row.work:<10}{row.batch_frames:>8}{row.precision:>11}{speed}", flush=True)
        rows.append(row)
    best: dict[str, float] = {}
    for row in rows:
        name = f"{row.network}_{row.work}"
        best[name] = max(best.get(name, 0.0), row.x_real_time)
    figures = {name: round(value, 1) for name, value in best.items()}
    print(json.dumps({**figures, "gemm_tflops": peaks, "rows": [asdict(row) for row in rows]}))


def measured(recipe: Recipe, device: torch.device, peaks: dict[Precision, float], seconds: float) -> Iterator[Row]:
    for name, section in (("teacher", recipe.teacher), ("student", recipe.student)):
        model = AcousticModel(ModelSpec(section.network, recipe.frontend.mel_bins * STACK, recipe.hmm.senones))
        weights = sum(each.numel() for each in model.to(device).parameters() if each.dim() > 1)
        shapes = [("chunks", section.batching.chunk_frames, chunks) for chunks in CHUNKS]
        shapes += [("whole", UTTERANCE, frames // UTTERANCE) for frames in WHOLE]
        works = [(*shape, training(model, section, shape[1], shape[2], device), 6) for shape in shapes]
        if name == "teacher":
            count = recipe.labelling.batch_frames // UTTERANCE
            works.append(("labelling", UTTERANCE, count, labelling(model, recipe.labelling.k, count), 2))
        for work, length, rows, step, flops in works:
            for precision in PRECISIONS:
                with at(precision, device):
                    frames_s, gigabytes = speed(step, length * rows, device, seconds)
                tflops = flops * weights * frames_s / 1e12
                yield Row(
                    name, work, length * rows, precision, frames_s, tflops, tflops / peaks[precision], gigabytes
                )


def training(
    model: AcousticModel, section: Teacher | Student, length: int, rows: int, device: torch.device
) -> Callable[[], object]:
    """One update on a batch of `rows` sequences of `length` inputs."""
    soft = isinstance(section, Student)
    objective = build_objective(_objective(section))
    batch = made_up(model.spec, length, rows, soft=soft, look_ahead=model.encoder.look_ahead).to(device)
    optimiser = build_optimiser(model, section.optimiser)

    def step() -> None:
        model.train()
        optimiser.zero_grad()
        objective.loss(model, batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), section.optimiser.clip_norm)
        optimiser.step()

    return step


def _objective(section: Teacher | Student) -> ObjectiveSection:
    return section.unlabeled_objective if isinstance(section, Student) else section.objective


def labelling(model: AcousticModel, k: int, count: int) -> Callable[[], object]:
    """Labels of `count` utterances of one length, as a batch."""
    utterances = [torch.randn(UTTERANCE, model.spec.inputs) for _ in range(count)]
    labeller = NetworkLabeller(model)

    def step() -> None:
        model.eval()
        for log_probs_ts in labeller.log_probabilities(utterances):
            top_k(log_probs_ts, k)

    return step


def made_up(spec: ModelSpec, length: int, rows: int, *, soft: bool, look_ahead: int) -> Batch:
    generator, k, targets = np.random.default_rng(0), 20, length - look_ahead
    examples = []
    for _ in range(rows):
        frames = generator.standard_normal((length, spec.inputs)).astype(np.float16)
        if soft:
            senones = np.sort(generator.integers(spec.outputs - k, size=(targets, k)), axis=1) + np.arange(k)
            posteriors = np.full((targets, k), 1 / k, np.float32)
            examples.append(Example(frames, FrameTargets(senones.astype(np.uint16), posteriors)))
        else:
            examples.append(
                Example(frames, FrameTargets(generator.integers(spec.outputs, size=(targets, 1)).astype(np.uint16)))
            )
    return collate(cut(examples, None), look_ahead)


@contextmanager
def at(precision: Precision, device: torch.device) -> Iterator[None]:
    """What torch computes in: `tf32` as it is set by default, for LSTMs alone."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def gemm_tflops(device: torch.device, precision: Precision, seconds: float) -> float:
    size = GEMM_SIZE if device.type == "cuda" else 1024
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    products_s, _ = speed(lambda: torch.mm(left, right), 1, device, seconds)
    torch.backends.cuda.matmul.allow_tf32 = False
    return 2 * size**3 * products_s / 1e12


def speed(step: Callable[[], object], frames: int, device: torch.device, seconds: float) -> tuple[float, float]:
    """Frames a second after two steps of warming up, and the device's most memory in gigabytes."""
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    for _ in range(2):
        step()
    _finish(device)
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        for _ in range(5 if on_gpu else 1):
            step()
            steps += 1
        _finish(device)
    spent = time.perf_counter() - began
    return steps * frames / spent, torch.cuda.max_memory_allocated(device) / 1e9 if on_gpu else 0.0


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
