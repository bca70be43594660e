"""What an epoch of each network of the zoo costs in its real form, on real tiles.

Usage: OMP_NUM_THREADS=1 python benchmarks/epoch.py --tiles FOLDER --out FILE.jsonl
       [--networks 1.0.0.35 tilenet-s ...] [--steps 6] [--batch 8]

FOLDER is a tile set of 299 x 299 pixels, such as recipe 9 of mini-MIAS (`mammoscope tiles build`).
Each network trains in a process of its own for some steps of its training tiles, as
`mammoscope train` does (input, flips, loss, penalty, Adam), from its facts' scaling and penalties.
A line is written when one is done, so the same command goes on with those that are missing:

* seconds a step (median without the first), and as they would be on idle cores: processor seconds
  over threads; tiles a second of these, the first and the last loss;
* the most memory of the process, and how much of it was there before the network;
* hours an epoch of these tiles, and of the paper's 43,739, would take at that speed.

The dense networks take no tiles: they are timed on random scans of 640 x 640 pixels with a
cross entropy against an empty scan, without a data road.

Found with one thread on two busy cores (batches of 8, 4 steps; seconds are of the processor):

    network          s a step  tiles a s  MiB   hours an epoch of 1,847 tiles, of 43,739
    tilenet-s            0.12       69.4   576   0.007, 0.18
    1.0.0.2              0.12       64.1   665   0.008, 0.19
    DDSM_2               0.26       31.3   806   0.016, 0.39
    1.0.0.35             1.33        6.0  1674   0.085, 2.02
    lite0                1.45        5.5  1980   0.093, 2.20
    inception_v4.05      2.66        3.0  1712   0.170, 4.04
    vgg_16.3             2.02        4.0  1199   0.129, 3.06
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mammoscope.core.vocabulary import Split
from mammoscope.models import zoo
from mammoscope.tiles.store import load_tiles
from mammoscope.training.optimisers import make_optimiser
from mammoscope.training.settings import Device, OnAlarm, TileSettings
from mammoscope.training.tile_run import prepare
from mammoscope.training.tile_task import Penalty, TileTask

PAPER_TILES = 43_739
DENSE_SIDE, DENSE_BATCH = 640, 2
ANSWERS = {"lite0-dense": 2, "lite0-local": 2, "tilenet-dense": 2, "3.9.4.01": 1}
"""Of the dense networks, at each place."""
Step = tuple[nn.Module, Iterator[Tensor], int]
"""A network, the loss of one step after another, and how many tiles a step has."""


def memory_mib() -> float:
    """Most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def of_tiles(name: str, options: argparse.Namespace) -> Step:
    """Train on tiles by the road of `mammoscope train`."""
    tiles = load_tiles(options.tiles)
    settings = TileSettings(
        name="benchmark",
        tiles=options.tiles,
        architecture=name,
        batch_size=options.batch,
        device=Device.CPU,
        on_alarm=OnAlarm.TELL,
    )
    run = prepare(settings, tiles)
    task = TileTask(
        tiles=tiles,
        training=tiles.rows_of(Split.TRAIN),
        validation=tiles.rows_of(Split.VALIDATION),
        head=run.head,
        spec=run.spec,
        settings=settings,
        penalty=Penalty(convolutions=run.facts.conv_l2, dense=run.facts.dense_l2),
        device=run.device,
    )

    def losses() -> Iterator[Tensor]:
        for step in range(options.steps):
            yield task.result(run.network, task.batch(0, step)).loss

    return run.network, losses(), options.batch


def of_scans(name: str, options: argparse.Namespace) -> Step:
    """Train a dense network on random scans that hold nothing."""
    network = zoo.channels_last(zoo.build(name, ANSWERS[name]))
    generator = torch.Generator().manual_seed(0)

    def losses() -> Iterator[Tensor]:
        for _ in range(options.steps):
            scans = torch.rand(DENSE_BATCH, 1, DENSE_SIDE, DENSE_SIDE, generator=generator)
            logits = network(scans)
            yield functional.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))

    return network, losses(), DENSE_BATCH


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Take some steps with one network."""
    torch.manual_seed(0)
    before = memory_mib()
    is_dense = zoo.facts(name).kind == "dense"
    network, losses, size = (of_scans if is_dense else of_tiles)(name, options)
    settings = TileSettings(name="benchmark", tiles=options.tiles)
    optimiser = make_optimiser(network, settings.optimiser)
    network.train()
    seconds, busy, told = [], [], []
    began, busy_then = perf_counter(), process_time()
    for loss in losses:
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        told.append(float(loss.detach()))
        seconds.append(perf_counter() - began)
        busy.append(process_time() - busy_then)
        began, busy_then = perf_counter(), process_time()
    step = statistics.median(busy[1:]) / torch.get_num_threads()
    training = len(load_tiles(options.tiles).rows_of(Split.TRAIN))
    return {
        "network": name,
        "parameters": sum(p.numel() for p in network.parameters()),
        "batch": size,
        "threads": torch.get_num_threads(),
        "seconds_a_step": round(statistics.median(seconds[1:]), 3),
        "idle_seconds_a_step": round(step, 3),
        "tiles_a_second": round(size / step, 2),
        "first_loss": round(told[0], 4),
        "last_loss": round(told[-1], 4),
        "memory_mib": round(memory_mib()),
        "memory_before_mib": round(before),
        "hours_an_epoch": None if is_dense else round(training * step / size / 3600, 3),
        "hours_an_epoch_of_the_paper": None
        if is_dense
        else round(PAPER_TILES * step / size / 3600, 2),
    }


def missing(options: argparse.Namespace) -> list[str]:
    """Names of the networks that have no line yet; of those that are one, the first."""
    distinct = {place: name for name, place in reversed(list(zoo.NETWORKS.places.items()))}
    wanted = options.networks or list(reversed(distinct.values()))
    out = Path(options.out)
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    done = {json.loads(line)["network"] for line in lines}
    return [name for name in wanted if name not in done]


def main() -> None:
    """Measure what is missing, each network in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--networks", nargs="*")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options)))
        return
    for name in missing(options):
        command = [sys.executable, __file__, *sys.argv[1:], "--one", name]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            print(f"{name}: failed\n{ended.stderr}", file=sys.stderr)
            continue
        line = ended.stdout.strip().splitlines()[-1]
        with Path(options.out).open("a", encoding="utf-8") as out:
            out.write(f"{line}\n")
        print(line, flush=True)


if __name__ == "__main__":
    main()
