"""The plan as text: tables, and below them the source of each figure."""

from __future__ import annotations

from ssl_asr.planning.blocks import BlockAdvice
from ssl_asr.planning.facts import PUBLISHED_GFLOPS
from ssl_asr.planning.network import STRATEGIES
from ssl_asr.planning.numbers import number, size_text, time_text
from ssl_asr.planning.plan import Plan, TrainingTraffic
from ssl_asr.planning.preemption import recovery_share
from ssl_asr.planning.training_times import block_seconds, group_kills
from ssl_asr.planning.wall_time import StageTime


class Footnotes:
    """Numbers the sources in the order of their citation."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def cite(self, text: str) -> str:
        if text not in self._texts:
            self._texts.append(text)
        return f"[{self._texts.index(text) + 1}]"

    def lines(self) -> list[str]:
        return [f"[{number}] {text}" for number, text in enumerate(self._texts, 1)]


def plan_text(plan: Plan) -> str:
    sources = Footnotes()
    parts = [
        _opening(plan, sources),
        _stores(plan, sources),
        _stages(plan, sources),
        _losses(plan, sources),
        *(_network(network, plan, sources) for network in plan.networks),
        *(_blocks(advice, plan) for advice in plan.blocks),
    ]
    return "\n\n".join("\n".join(part) for part in [*parts, ["where the figures come from", *sources.lines()]])


def _opening(plan: Plan, sources: Footnotes) -> list[str]:
    speech, cluster, devices = plan.speech, plan.cluster, plan.cluster.devices
    hours = [
        f"{number(fact.value)} h {name} {sources.cite(fact.source)}"
        for name, fact in (
            ("unlabeled", speech.unlabeled),
            ("labeled", speech.labeled),
            ("dev", speech.dev),
            ("test", speech.test),
        )
    ]
    machines = f"{devices.trainers} {devices.kind}s to train, {devices.labellers} to label"
    return [
        f"plan of '{plan.recipe.name}': runs nothing, writes nothing",
        f"  speech    {', '.join(hours)}",
        f"  machines  {machines}, {cluster.cpus} cores for the rest; {cluster.gbit.value:g} Gbit/s "
        f"{sources.cite(cluster.gbit.source)}",
    ]


def _stores(plan: Plan, sources: Footnotes) -> list[str]:
    lines = [f"{'store':<12}{'size':>10}  how"]
    for store in plan.stores:
        lines.append(f"{store.name:<12}{size_text(store.bytes):>10}  {store.formula} {sources.cite(store.source)}")
    return [*lines, f"{'all':<12}{size_text(sum(store.bytes for store in plan.stores)):>10}"]


def _stages(plan: Plan, sources: Footnotes) -> list[str]:
    start = sources.cite("a stage's wall time: its start, and work / (devices x efficiency x (1 - lost))")
    lines = [f"{'stage':<14}{'on':>11}{'work':>11}{'wall':>15}{'effic.':>8}{'lost':>7}  how {start}"]
    lines += [_stage(stage, sources) for stage in plan.stages]
    wall = sum(stage.wall_seconds for stage in plan.stages)
    lines.append(f"{'in turn':<36}{time_text(wall):>15}")
    return lines + _cost(plan)


def _stage(stage: StageTime, sources: Footnotes) -> str:
    work = f"{stage.work_hours:,.0f} h" if stage.work_hours >= 100 else f"{stage.work_hours:.3g} h"
    devices = f"{stage.devices} {stage.kind}s"
    shares = f"{stage.efficiency:>8.1%}{stage.lost:>7.1%}"
    how = f"{stage.formula} {sources.cite(stage.source)}"
    return f"{stage.stage:<14}{devices:>11}{work:>11}{time_text(stage.wall_seconds):>15}{shares}  {how}"


def _cost(plan: Plan) -> list[str]:
    held = {
        kind: sum(stage.held_hours for stage in plan.stages if stage.kind == kind)
        for kind in ("GPU", "core")
        if any(stage.kind == kind for stage in plan.stages)
    }
    hours = ", ".join(f"{number(value)} {kind}-hours" for kind, value in held.items())
    if plan.cost is None:
        return [f"held        {hours}; give --price-gpu-hour and --price-cpu-hour for their cost"]
    cost = plan.cost
    sums = [(cost.gpu_hours, cost.price_gpu_hour), (cost.core_hours, cost.price_cpu_hour)]
    reckoned = " + ".join(f"{number(hours)} x {price:g}" for hours, price in sums if hours)
    return [f"held        {hours}", f"cost        {cost.total:,.2f} = {reckoned}"]


def _losses(plan: Plan, sources: Footnotes) -> list[str]:
    cluster = plan.cluster
    kills, recovery = cluster.kills, cluster.recovery
    together = kills.value * cluster.devices.trainers
    lines = [
        f"preemption: {kills.value:g} kills a machine-hour {sources.cite(kills.source)}, "
        f"{together:.3g} an hour of all, {recovery.value:g} s to recover {sources.cite(recovery.source)}"
    ]
    if together:
        daly = (
            "formula: e^(k R) (e^(k T) - 1) / (k T) of the time, k kills a second, recovery R, period T (Daly 2006)"
        )
        noticed = recovery_share(group_kills(cluster), recovery.value)
        lines += [
            f"  `lost` is without notice, a checkpoint every sync.checkpoint_blocks, written while training goes on "
            f"{sources.cite(daly)}",
            f"  if every notice leads to a checkpoint, only the recovery is lost: {noticed:.1%} of a training",
        ]
    if cluster.devices.kind == "GPU" and not plan.stage("student").source.startswith("measured"):
        student = plan.stage("student")
        slower = cluster.devices.gflops.value / PUBLISHED_GFLOPS.value
        worked = student.work_hours * 3600 * slower / (student.devices * student.efficiency * (1 - student.lost))
        lines.append(
            f"no A10G was measured: at {PUBLISHED_GFLOPS.value:g} GFLOP/s, the rate of each GPU in the published run "
            f"{sources.cite(PUBLISHED_GFLOPS.source)}, the student takes {time_text(worked)}"
        )
    return lines


def _network(network: TrainingTraffic, plan: Plan, sources: Footnotes) -> list[str]:
    training, most = network.training, plan.cluster.devices.trainers
    ring = sources.cite(
        "formula: dense 2 (N - 1) / N x 4 bytes a parameter; BMUF as much once a block (2 bytes with "
        "sync.wire=bfloat16, 4 more for each averaged moment); GTC (N - 1) x 4 bytes for a share sync.gtc_share"
    )
    efficient = sources.cite("formula: training / (training + sending), nothing being sent meanwhile")
    slabs = training.sync.block_slabs
    lines = [
        f"{training.name}, {training.network.parameters / 1e6:.2f} M parameters, blocks of {slabs} slabs: MB that a "
        f"worker sends a minibatch {ring} and the share of its time in which it trains {efficient}",
        f"{'workers':>8}" + "".join(f"{strategy:>12} MB  share" for strategy in STRATEGIES),
    ]
    for row in network.rows:
        cells = "".join(f"{each.bytes_a_minibatch / 1e6:>12,.3g}{each.efficiency:>10.1%}" for each in row)
        lines.append(f"{row[0].workers:>8}{cells}")
    lines.append(
        f"  the recipe's {training.sync.strategy}: {most} workers x {number(network.minibatches)} minibatches send "
        f"{size_text(network.bytes)} in all"
    )
    if training.sync.strategy != "bmuf":
        efficiency = next(each.efficiency for each in network.rows[-1] if each.strategy == training.sync.strategy)
        seconds = block_seconds(plan.recipe, training, slabs, efficiency)
        lines.append(f"  it syncs at every minibatch: its block, {seconds:,.1f} s, decides only what a failure costs")
    return lines


def _blocks(advice: BlockAdvice, plan: Plan) -> list[str]:
    training, best, recipes = advice.training, advice.best, advice.training.sync.block_slabs
    workers = plan.cluster.devices.trainers
    lines = [
        f"{training.name}'s block, sync.block_slabs of {plan.recipe.corpus.slab_minutes:g} min: choose {best.slabs}",
        f"  decided by: {advice.why}",
        f"{'slabs':>8}{'minibatches':>14}{'seconds':>10}{'training':>10}{'lost':>8}{'wants hours':>14}",
    ]
    for row in advice.rows:
        marks = [name for name, slabs in (("best", best.slabs), ("the recipe's", recipes)) if slabs == row.slabs]
        lines.append(
            f"{row.slabs:>8}{row.minibatches:>14,.1f}{row.seconds:>10,.1f}{row.efficiency:>10.1%}{row.lost:>8.1%}"
            f"{number(row.wants_hours):>14}  {', '.join(marks)}".rstrip()
        )
    lines.append(
        f"  needed: different speech of at least a worker's block x {workers}^2 (CNTK's rule; read strictly, all "
        f"workers' blocks, {number(best.wants_hours * workers)} h); there are {number(advice.unique_hours)} h"
    )
    return lines
