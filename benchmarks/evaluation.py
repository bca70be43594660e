"""Where the time of an evaluation goes: how much of it is not the network's.

Usage: python benchmarks/evaluation.py DATA [--patients 100] [--resamples 1000]

DATA is the folder with `mini-mias`. The shipped model is passed over the scans on one core, then
measured. Processor time is counted, not the clock, so that a busy machine does not change the
shares. The time of figures and of the page is that of all scans together.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mammoscope.archives.open import open_archive
from mammoscope.models.weights import load_model
from mammoscope.read.evaluate import evaluation_of, pass_over
from mammoscope.report.evaluation_page import render


def main(data: Path, patients: int, resamples: int) -> None:
    """Pass the model over scans, measure, draw; print the times."""
    torch.set_num_threads(1)
    model, archive = load_model("default"), open_archive("mini-mias", data / "mini-mias")
    inside = time_of(model.network)
    passed, whole = timed(lambda: pass_over(model, archive, limit=patients))
    n = len(passed.outcomes)
    measured, figures = timed(lambda: evaluation_of(model, archive, passed, resamples=resamples))
    _, page = timed(lambda: render(measured, {}))
    network = sum(inside)
    print(f"{n} scans, one core, processor time:")
    for name, seconds in (
        ("network", network),
        ("reading, preparing, peaks", whole - network),
        (f"figures ({resamples} resamples)", figures),
        ("page", page),
    ):
        share = seconds / (whole + figures + page)
        print(f"  {name:<32} {seconds:7.2f} s  {1000 * seconds / n:7.1f} ms a scan  {share:6.1%}")


def timed(what: Callable[[], Any]) -> tuple[Any, float]:
    """Do something; return what it gave and the seconds of processor time that it took."""
    start = time.process_time()
    given = what()
    return given, time.process_time() - start


def time_of(network: nn.Module) -> list[float]:
    """Make a network note the seconds of each of its answers in a list that is returned."""
    spent: list[float] = []
    started: list[float] = []
    network.register_forward_pre_hook(lambda *_: started.append(time.process_time()))
    network.register_forward_hook(lambda *_: spent.append(time.process_time() - started.pop()))
    return spent


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--resamples", type=int, default=1000)
    given = parser.parse_args()
    main(given.data, given.patients, given.resamples)
