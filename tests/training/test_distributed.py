"""Several processes train as one does: the same losses, exact resume, one sentence at the end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from mammoscope.core.errors import BadValueError, TrainingError
from mammoscope.core.geometry import Box
from mammoscope.core.records import Scan
from mammoscope.core.vocabulary import SpacingSource
from mammoscope.tiles.store import write_tiles
from mammoscope.tiles.tile import Tile
from mammoscope.training import distributed
from mammoscope.training.distributed import ALONE, Team, joined
from mammoscope.training.launch import Place, place_of

SIDE = 12
LAUNCH = {
    "RANK": "1",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "gpu07",
    "MASTER_PORT": "29500",
}

# Loads everything once, then divides itself (fork) for every process that a test asks for: to load
# takes seconds, to divide nothing. A batch can be made to wait, to fail or to press Ctrl-C in one
# process. Layers before a norm have no bias: its gradient is nothing but rounding, which Adam blows
# up, and running means would lag behind it.
PROGRAM = """
import json, os, sys, time
import torch
import torch._dynamo
from torch import nn

torch.set_num_threads(1)

from mammoscope.cli.main import main
from mammoscope.core.errors import CorruptFileError
from mammoscope.models import zoo
from mammoscope.models.facts import NetworkFacts
from mammoscope.training import run, tile_run
from mammoscope.training.tile_task import TileTask

class Small(nn.Module):
    def __init__(self, classes, dropout):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.fc1 = nn.Linear(4, 8, bias=False)
        self.bn_fc1 = nn.BatchNorm1d(8)
        self.dropout = nn.Dropout(dropout)
        self.logits = nn.Linear(8, classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu().mean(dim=(2, 3))
        return self.logits(self.dropout(self.bn_fc1(self.fc1(x)).relu()))

zoo.build = lambda name, classes, *, pool_dropout, dense_dropout: Small(classes, dense_dropout or 0)
zoo.facts = lambda name: NetworkFacts(kind="tile", side_px=12, scaling="unit", conv_l2=1e-4)
tile_run.CHECKPOINT_EVERY = 3
from mammoscope.training import loop
loop.LOG_EVERY = 1
batch = TileTask.batch

def happen(what):
    if what == "fail":
        raise CorruptFileError("tiles.npy: is damaged; build it again.")
    if what == "press":
        os.kill(os.getpid(), 2)
    if what == "wait":
        print("ready", flush=True)
        time.sleep(60)

def be_process(asked):
    os.environ.update(asked["environ"])
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(asked[name], os.O_CREAT | os.O_WRONLY, 0o666), number)
    what, *place = asked["event"]

    def changed(self, epoch, step):
        if [epoch, step] == place:
            happen(what)
        return batch(self, epoch, step)

    TileTask.batch = changed
    return main(["train", *asked["arguments"]])

def wait_for(number):
    for _ in range(2400):
        found, status = os.waitpid(number, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.025)
    os.kill(number, 9)
    return os.waitpid(number, 0)[1]

for line in sys.stdin:
    asked = json.loads(line)
    if "wait" in asked:
        print(wait_for(asked["wait"]), flush=True)
        continue
    number = os.fork()
    if number == 0:
        code = 70
        try:
            code = be_process(asked)
            sys.stdout.flush()
        finally:
            os._exit(code)
    print(number, flush=True)
"""

TEXT = """
name = "made"
task = "tiles"
tiles = "{tiles}"
epochs = 4
batch_size = 7
device = "cpu"
on_alarm = "tell"
optimiser.learning_rate = 0.003
"""


def write(folder):
    """Ninety-six tiles to train on, the abnormal ones a little brighter."""
    rng = np.random.default_rng(0)
    made, split_of = [], {}
    for number in range(70):
        split_of[f"p{number}"] = "train" if number < 48 else ("validation", "test")[number % 2]
        sick = number // 2 % 2 == 1
        scan = Scan(
            scan_id=f"s{number}",
            archive="made",
            path=Path("s.png"),
            patient_id=f"p{number}",
            exam_id=f"e{number}",
            spacing_mm=(0.2, 0.2),
            spacing_source=SpacingSource.ARCHIVE,
        )
        for _ in range(2):
            pixels = rng.normal(115 if sick else 100, 20, (SIDE, SIDE)).clip(0, 255)
            made.append(
                Tile(
                    pixels=pixels.astype(np.uint8),
                    scan=scan,
                    finding_id=None,
                    box=Box(0, 0, SIDE, SIDE),
                    label="MALIGNANT_mass" if sick else "NORMAL",
                )
            )
    write_tiles(folder, made, split_of, {"recipe": "9", "seed": 0, "split": "d"})
    return folder


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    path = folder / "made.toml"
    path.write_text(TEXT.format(tiles=write(folder / "set")))
    return path


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def plain_environment():
    """What these tests run under, without what another launcher may have left there."""
    known = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_", "SLURM_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(known)}
    return kept | {"OMP_NUM_THREADS": "1"}


class Started:
    """Processes of one run, each with a file for what it prints and one for what it says."""

    def __init__(self, launcher, folder, places, arguments, event):
        self._launcher, self._files = launcher, []
        self.numbers = []
        folder.mkdir(parents=True, exist_ok=True)
        for rank, environ in enumerate(places):
            files = {name: f"{folder}/{rank}.{name}" for name in ("out", "err")}
            what = event[0] if event and event[1] == rank else "nothing"
            asked = {
                "environ": environ,
                "arguments": [str(word) for word in arguments],
                "event": [what, *event[2:]] if event else ["nothing"],
                **files,
            }
            self._files.append(files)
            self.numbers.append(launcher.ask(asked))

    def wait_until_ready(self, rank):
        path = Path(self._files[rank]["out"])
        for _ in range(1200):
            if path.exists() and path.read_text() == "ready\n":
                # The other one waits for it in the middle of a step.
                time.sleep(0.3)
                return
            time.sleep(0.025)
        pytest.fail("the process does not come so far")

    def ended(self):
        """Wait for the processes; gives exit code, output and what was said of each."""
        codes = [self._launcher.ask({"wait": number}) for number in self.numbers]
        said = [[Path(one[name]).read_text() for name in ("out", "err")] for one in self._files]
        return [(code, out, err) for code, (out, err) in zip(codes, said, strict=True)]


class Launcher:
    """Starts processes that train together, and says how each ended."""

    def __init__(self, folder):
        self._folder, self._runs = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=plain_environment(),
        )

    def ask(self, asked):
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, size, config, out, *sets, event=None, variables=None):
        port = str(free_port())
        launch = variables or (
            lambda rank: {
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(size),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
            }
        )
        options = ["--config", config, "--out", out]
        options += [word for one in sets for word in ("--set", one)]
        self._runs += 1
        folder = self._folder / str(self._runs)
        return Started(self, folder, [launch(rank) for rank in range(size)], options, event)

    def train(self, size, config, out, *sets):
        told = self.start(size, config, out, *sets).ended()
        assert [code for code, _, _ in told] == [0] * size, told
        return told

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(60)


@pytest.fixture(scope="module")
def launcher(tmp_path_factory):
    made = Launcher(tmp_path_factory.mktemp("said"))
    yield made
    made.close()


def losses(out):
    """The loss, cross entropy and accuracy of every step, as the log holds them."""
    import polars as pl

    table = pl.read_parquet(out / "run" / "log.parquet").filter(pl.col("group") == "train")
    return {
        name: table.filter(pl.col("name") == name).sort("step")["value"].to_numpy()
        for name in ("loss", "cross_entropy", "accuracy", "recall", "penalty")
    }


def weights(out):
    with safe_open(out / "run" / "checkpoint.safetensors", "pt") as stored:
        return {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 no iterator


@pytest.mark.slow
def test_two_processes_have_the_loss_curve_of_one_with_the_same_batch(config, tmp_path, launcher):
    # A batch of seven is divided into three and four.
    (alone,) = launcher.train(1, config, tmp_path / "one")
    told = launcher.train(2, config, tmp_path / "two")
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one["loss"]) == 4 * (96 // 7)
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-4, err_msg=name)
    # It must have learnt something, or equal losses say little.
    assert one["cross_entropy"][-1] < 0.9 * one["cross_entropy"][0]
    rows = [
        json.loads((tmp_path / name / "run" / "history.json").read_text())[-1]
        for name in ("one", "two")
    ]
    for name in ("val_cross_entropy", "val_auc", "val_accuracy"):
        assert rows[1][name] == pytest.approx(rows[0][name], rel=1e-4)
    # The first process alone says where the weights are.
    assert alone[1].startswith("Weights: ")
    assert [out.startswith("Weights: ") for _, out, _ in told] == [True, False]
    assert told[1][1:] == ("", "")
    assert len(list((tmp_path / "two" / "run" / "tensorboard").iterdir())) == 1


EVERYTHING = (
    "regular.dense_dropout=0.3",
    "sampling.kind=hard-negative",
    "average.decay=0.9",
    "mixup.alpha=0.4",
    "augment.noise=0.05",
    "stop.patience=4",
    "epochs=3",
)


def sentences(told):
    """Lines of ours, without the verdict that is told before training."""
    return [line for _, _, err in told for line in err.splitlines() if line.startswith("mammos")]


@pytest.mark.slow
def test_a_run_whose_process_was_killed_ends_at_once_and_goes_on_to_the_same_weights(
    config, tmp_path, launcher
):
    launcher.train(2, config, tmp_path / "whole", *EVERYTHING)
    started = launcher.start(2, config, tmp_path / "cut", *EVERYTHING, event=("wait", 1, 1, 5))
    started.wait_until_ready(1)
    os.kill(started.numbers[1], signal.SIGKILL)
    told = started.ended()
    assert [code for code, _, _ in told] == [2, -signal.SIGKILL]
    assert sentences(told) == [
        "mammoscope: One of the 2 processes is gone (killed, or its machine lost), so all ended; "
        "the same command goes on from the last checkpoint."
    ]
    launcher.train(2, config, tmp_path / "cut", *EVERYTHING)
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert whole.keys() == cut.keys()
    # Random states are drawn anew at every step, and the last one's is of no use.
    kept = [name for name in whole if not name.startswith("random/")]
    assert "extra/task/scores" in kept
    assert [name for name in kept if not torch.equal(whole[name], cut[name])] == []
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert files[0] == files[1]


@pytest.mark.slow
def test_an_error_of_one_process_ends_all_with_its_sentence_under_slurm(config, tmp_path, launcher):
    port = str(free_port())

    def slurm(rank):
        return {
            "SLURM_PROCID": str(rank),
            "SLURM_NTASKS": "2",
            "SLURM_LOCALID": str(rank),
            "SLURM_JOB_NODELIST": "localhost,other[1-3]",
            "MASTER_PORT": port,
        }

    started = launcher.start(2, config, tmp_path, event=("fail", 1, 0, 5), variables=slurm)
    told = started.ended()
    assert [code for code, _, _ in told] == [2, 2]
    assert sentences(told) == ["mammoscope: tiles.npy: is damaged; build it again."]


@pytest.mark.slow
def test_the_others_end_when_the_first_process_is_killed(config, tmp_path, launcher):
    started = launcher.start(2, config, tmp_path, event=("wait", 0, 0, 5))
    started.wait_until_ready(0)
    os.kill(started.numbers[0], signal.SIGKILL)
    told = started.ended()
    assert [code for code, _, _ in told] == [-signal.SIGKILL, 2]
    assert told[1][2].count("\n") == 1
    assert "is gone" in told[1][2]


@pytest.mark.slow
def test_ctrl_c_in_one_process_ends_all_at_the_same_step_with_a_checkpoint(
    config, tmp_path, launcher
):
    told = launcher.start(2, config, tmp_path, event=("press", 1, 1, 5)).ended()
    assert [code for code, _, _ in told] == [130, 130]
    (said,) = sentences(told)
    # Step 18 was under way, and the processes ask each other at every tenth.
    assert "interrupted after step 20 of 52; the checkpoint in" in said
    assert "Traceback" not in told[0][2] + told[1][2]


@pytest.mark.slow
def test_torchrun_starts_processes_of_which_one_says_where_the_weights_are(config, tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    meet = ["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
    command = ["-m", "mammoscope", "train", "--config", config, "--out", tmp_path / "run"]
    sets = ["--set", "architecture=tilenet-s", "--set", "epochs=1"]
    done = subprocess.run(
        [*torchrun, *meet, *command, *sets],
        capture_output=True,
        text=True,
        env=plain_environment(),
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Weights: {tmp_path / 'run' / 'model.safetensors'}\n"
    assert (tmp_path / "run" / "evaluation.json").exists()


def test_a_batch_with_fewer_tiles_than_processes_is_refused(monkeypatch):
    from types import SimpleNamespace

    from mammoscope.training.tile_share import SharedTileTask
    from mammoscope.training.tile_task import TileTask

    def made(self, **_parts):
        self._settings = SimpleNamespace(batch_size=3)

    monkeypatch.setattr(TileTask, "__init__", made)
    with pytest.raises(BadValueError, match="batch_size is 3, and 4 processes share each batch"):
        SharedTileTask(make_team(1, 4))


# Without other processes


def make_team(rank, size):
    return Team(Place(rank=rank, size=size, local_rank=rank, address="", port=0))


@pytest.mark.parametrize(("count", "size"), [(7, 2), (8, 4), (5, 4), (4, 4), (33, 8)])
def test_shares_hold_each_tile_once_and_differ_by_one_at_most(count, size):
    parts = [list(range(count))[make_team(rank, size).share(count)] for rank in range(size)]
    assert [place for part in parts for place in part] == list(range(count))
    sizes = {len(part) for part in parts}
    assert max(sizes) - min(sizes) <= 1


def test_a_process_alone_adds_tells_and_wraps_nothing():
    network = torch.nn.Linear(2, 1)
    assert ALONE.leads
    assert ALONE.together(network) is network
    assert ALONE.tell({"auc": 0.5}) == {"auc": 0.5}
    assert torch.equal(ALONE.sum(torch.ones(2)), torch.ones(2))
    assert ALONE.agree(3, wanted=True)
    with ALONE.leader_first():
        ALONE.check_step(5, Path("run"))


@pytest.mark.parametrize("environ", [{}, {"WORLD_SIZE": "1", "RANK": "0"}, {"SLURM_NTASKS": "4"}])
def test_without_a_launcher_of_several_a_process_is_alone(environ):
    assert place_of(environ) is None
    with joined(environ) as team:
        assert team is ALONE


def test_the_variables_of_torchrun_are_read_and_go_before_those_of_slurm():
    place = place_of(LAUNCH | {"SLURM_PROCID": "0", "SLURM_NTASKS": "9"})
    assert place == Place(rank=1, size=4, local_rank=1, address="gpu07", port=29500)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"RANK": "one"}, "invalid literal"),
        ({"MASTER_ADDR": None}, "MASTER_ADDR"),
        ({"RANK": "4"}, "RANK is 4 of WORLD_SIZE 4"),
    ],
)
def test_variables_that_make_no_sense_are_told(change, said):
    environ = {key: value for key, value in (LAUNCH | change).items() if value is not None}
    with pytest.raises(BadValueError, match=said):
        place_of(environ)


def test_others_that_never_come_are_told(monkeypatch):
    monkeypatch.setattr(distributed, "JOIN_S", 1)
    environ = LAUNCH | {"RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    with (
        pytest.raises(TrainingError, match=r"Process 0 of 4 did not find the others at 127\.0\.0"),
        joined(environ),
    ):
        pass
