"""What SLURM tells the tasks of a job step, in the words that PyTorch's launcher uses."""

import re
from collections.abc import Mapping

from mammoscope.core.errors import BadValueError

FIRST_PORT, PORTS = 20_000, 20_000
"""Jobs meet at ports from here on, each at one of its own as far as that goes."""
_MACHINE = re.compile(r"((?:[^\[\],]+|\[\w[^\[\]]*\])+)(?:,|$)")
_NUMBERS = re.compile(r"\[(\w+)[^\]]*\]")


def launch_variables(environ: Mapping[str, str]) -> dict[str, str] | None:
    """Translate SLURM's variables of a step with several tasks; None outside of one.

    Parameters
    ----------
    environ : SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID and SLURM_JOB_NODELIST are read; where
        MASTER_ADDR or MASTER_PORT is set it goes before what SLURM says

    Returns
    -------
    RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, as ``torchrun`` sets them

    Raises
    ------
    BadValueError
        When the list of machines cannot be read.
    """
    if "SLURM_PROCID" not in environ or environ.get("SLURM_NTASKS", "1") == "1":
        return None
    machines = environ.get("SLURM_STEP_NODELIST") or environ.get("SLURM_JOB_NODELIST", "")
    return {
        "RANK": environ["SLURM_PROCID"],
        "WORLD_SIZE": environ["SLURM_NTASKS"],
        "LOCAL_RANK": environ.get("SLURM_LOCALID", "0"),
        "MASTER_ADDR": environ.get("MASTER_ADDR") or first_machine(machines),
        "MASTER_PORT": environ.get("MASTER_PORT") or str(_port(environ.get("SLURM_JOB_ID", "0"))),
    }


def first_machine(machines: str) -> str:
    """Return the first name of a list as SLURM writes it.

    Raises
    ------
    BadValueError
        When the list is empty or a bracket is not closed.

    Examples
    --------
    >>> first_machine("gpu[07-09,12],big1")
    'gpu07'
    """
    found = _MACHINE.match(machines)
    if found is None:
        raise BadValueError(
            f"SLURM_JOB_NODELIST is {machines!r}, and no machine can be read from it; set "
            "MASTER_ADDR to the first machine of the job."
        )
    return _NUMBERS.sub(r"\1", found[1])


def _port(job: str) -> int:
    """Every task of a job finds the same one."""
    return FIRST_PORT + (int(job) % PORTS if job.isdecimal() else 0)
