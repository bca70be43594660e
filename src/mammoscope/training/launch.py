"""Which of the processes of a run this is, as ``torchrun`` or SLURM says; without torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from mammoscope.core.errors import BadValueError, TrainingError
from mammoscope.training.slurm import launch_variables


class OtherProcessError(TrainingError):
    """Another process of the run failed and said why; there is nothing to add."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which process this is.

    Attributes
    ----------
    rank, size : number of the process, from 0, and how many there are
    local_rank : its number on its machine
    address, port : where they meet
    is_bound : the launcher shows each process its own graphics processor alone
    """

    rank: int
    size: int
    local_rank: int
    address: str
    port: int
    is_bound: bool = False


def place_of(environ: Mapping[str, str]) -> Place | None:
    """Read which process this is from the variables of ``torchrun``, else of SLURM.

    Returns
    -------
    None where there is one process only

    Raises
    ------
    BadValueError
        When a variable is missing or is no number.
    """
    slurm = None if "RANK" in environ else launch_variables(environ)
    given = slurm or environ
    if given.get("WORLD_SIZE", "1") == "1":
        return None
    try:
        place = Place(
            rank=int(given["RANK"]),
            size=int(given["WORLD_SIZE"]),
            local_rank=int(given.get("LOCAL_RANK", "0")),
            address=given["MASTER_ADDR"],
            port=int(given["MASTER_PORT"]),
            is_bound=slurm is not None,
        )
    except (KeyError, ValueError) as error:
        raise BadValueError(
            f"The launcher's variables do not tell which process this is ({error}); start with "
            "torchrun or srun."
        ) from error
    if not 0 <= place.rank < place.size:
        raise BadValueError(
            f"RANK is {place.rank} of WORLD_SIZE {place.size}; processes count from 0, so start "
            "with torchrun or srun."
        )
    return place
