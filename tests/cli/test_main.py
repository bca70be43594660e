"""Start, help, version, and what is said when something goes wrong."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import mammoscope
from mammoscope.core.errors import BadValueError

COMMAND = [sys.executable, "-m", "mammoscope"]


@pytest.fixture
def failing_train(stand_in):
    """Make `mammoscope train` raise a given error."""

    def fail_with(error):
        def train(config, overrides, out):
            raise error

        stand_in("mammoscope.training.run", train=train)

    return fail_with


def train(run, *before):
    return run(*before, "train", "--config", "a.toml")


def test_help_names_every_command(run):
    ended = run("--help")
    assert ended.code == 0
    for command in ("demo", "read", "archive", "train", "evaluate", "model"):
        assert f"  {command} " in ended.out
    assert "not a medical device" in ended.out


def test_no_command_is_wrong_use_and_shows_the_help(run):
    ended = run()
    assert ended.code == 2
    assert "Commands:" in ended.err


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["read"],
        ["archive"],
        ["archive", "list"],
        ["archive", "check"],
        ["archive", "show"],
        ["train"],
        ["evaluate"],
        ["model"],
        ["model", "list"],
        ["model", "card"],
    ],
    ids=" ".join,
)
def test_every_command_has_help(run, command):
    ended = run(*command, "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"Usage: mammoscope {' '.join(command)}")


def test_version_is_the_package_s(run):
    assert run("--version").out == f"mammoscope {mammoscope.__version__}\n"


def test_an_unknown_command_is_wrong_use(run):
    ended = run("raed")
    assert ended.code == 2
    assert "raed" in ended.err


def test_a_missing_option_is_wrong_use(run):
    ended = run("train")
    assert ended.code == 2
    assert "--config" in ended.err


def test_help_loads_nothing_heavy():
    program = (
        "import sys\n"
        "from mammoscope.cli.main import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = {'torch', 'scipy', 'pydicom', 'numpy', 'rich', 'matplotlib', 'polars'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_help_takes_little_of_the_processor():
    # 0.08 s of processor time, which other programs on a busy machine do not lengthen by much.
    took = []
    for _ in range(5):
        before = os.times()
        subprocess.run([*COMMAND, "--help"], capture_output=True, check=True)
        after = os.times()
        took.append(after.children_user + after.children_system)
        took[-1] -= before.children_user + before.children_system
        if took[-1] < 0.3:
            break
    assert min(took) < 0.3


def test_an_error_of_the_user_is_one_line_and_ends_with_2(run, failing_train):
    failing_train(BadValueError("a.toml: 'epochs' must be a whole number."))
    ended = train(run)
    assert ended.code == 2
    assert ended.err == "mammoscope: a.toml: 'epochs' must be a whole number.\n"
    assert ended.out == ""


def test_debug_shows_the_trace_as_well(run, failing_train):
    failing_train(BadValueError("a.toml: bad."))
    ended = train(run, "--debug")
    assert ended.code == 2
    assert "Traceback" in ended.err
    assert ended.err.endswith("mammoscope: a.toml: bad.\n")


def test_an_error_of_ours_shows_its_trace(run, failing_train):
    failing_train(ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        train(run)


def test_line_breaks_and_controls_in_a_file_s_name_are_not_obeyed(run, failing_train):
    failing_train(BadValueError("a\nb\x1b[2J\u202eé.toml: bad."))
    assert train(run).err == "mammoscope: a\\nb\\x1b[2J\\u202eé.toml: bad.\n"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "mammoscope: out/x.png: the disk is full"),
        (errno.EACCES, "mammoscope: out/x.png: it may not be opened"),
        (errno.ENOENT, "mammoscope: out/x.png: there is no such file"),
        (errno.EIO, "mammoscope: out/x.png: Input/output error."),
    ],
    ids=lambda value: errno.errorcode.get(value, ""),
)
def test_an_error_of_the_system_is_one_line_and_ends_with_2(run, failing_train, number, told):
    failing_train(OSError(number, os.strerror(number), "out/x.png"))
    ended = train(run)
    assert ended.code == 2
    assert ended.err.startswith(told)
    assert ended.err.count("\n") == 1


def test_an_error_of_the_system_without_a_file_is_still_one_line(run, failing_train):
    failing_train(OSError(errno.ENOSPC, "No space left on device"))
    assert train(run).err.startswith("mammoscope: the disk is full")


def test_an_oserror_that_is_not_the_system_s_is_ours(run, failing_train):
    failing_train(OSError("image file is truncated"))
    with pytest.raises(OSError, match="truncated"):
        train(run)


def test_an_interrupt_ends_with_130(run, failing_train):
    failing_train(KeyboardInterrupt())
    assert train(run).code == 130


def test_an_interrupted_process_says_nothing_and_ends_with_130():
    program = (
        "import sys, time, types\n"
        "def train(*_):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(30)\n"
        "sys.modules['mammoscope.training.run'] = types.SimpleNamespace(train=train)\n"
        "from mammoscope.cli.main import main\n"
        "sys.exit(main(['train', '--config', 'a.toml']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_a_closed_pipe_is_quiet():
    shell = f"{sys.executable} -m mammoscope archive list | head -c 1"
    ended = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert ended.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_output_that_cannot_be_written_is_one_line():
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*COMMAND, "--version"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith("mammoscope: the disk is full")
    assert ended.stderr.count("\n") == 1


def test_a_name_that_the_output_cannot_write_does_not_stop_it():
    program = (
        "import sys\n"
        "from mammoscope.cli import main, console\n"
        "main.main(['--version'])\n"
        "console.tell('\\u2713')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == "mammoscope: \\u2713\n"


@pytest.mark.parametrize(("switches", "shown"), [((), False), (("--debug",), True)])
def test_other_packages_warnings_are_shown_to_who_looks_for_a_fault(switches, shown):
    program = (
        "import logging, sys, types, warnings\n"
        "def train(*_):\n"
        "    warnings.warn('warned of')\n"
        "    logging.getLogger('pydicom').warning('logged')\n"
        "    logging.getLogger('mammoscope.training').warning('our own')\n"
        "sys.modules['mammoscope.training.run'] = types.SimpleNamespace(train=train)\n"
        "from mammoscope.cli.main import main\n"
        f"sys.exit(main([*{switches!r}, 'train', '--config', 'a.toml']))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0
    assert "mammoscope: our own\n" in ended.stderr
    assert ("warned of" in ended.stderr) == ("logged" in ended.stderr) == shown
