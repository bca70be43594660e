"""SLURM's variables become those of torchrun."""

import pytest

from mammoscope.core.errors import BadValueError
from mammoscope.training.launch import Place, place_of
from mammoscope.training.slurm import first_machine, launch_variables

STEP = {
    "SLURM_JOB_ID": "1234567",
    "SLURM_PROCID": "5",
    "SLURM_NTASKS": "8",
    "SLURM_LOCALID": "1",
    "SLURM_JOB_NODELIST": "gpu[07-08,12]",
}


@pytest.mark.parametrize(
    ("machines", "first"),
    [
        ("localhost", "localhost"),
        ("gpu3,gpu4", "gpu3"),
        ("gpu[07-08,12]", "gpu07"),
        ("gpu[3,5-9]", "gpu3"),
        ("rack[1-2]node[03-04]", "rack1node03"),
        ("gpu[1-2]-ib,cpu1", "gpu1-ib"),
        ("cpu1,gpu[1-2]", "cpu1"),
        ("gpu[1-2],cpu[1-3]", "gpu1"),
    ],
)
def test_the_first_machine_of_a_list_is_found(machines, first):
    assert first_machine(machines) == first


@pytest.mark.parametrize("machines", ["", "gpu[", "gpu[]", "gpu[1-2", ","])
def test_a_list_without_a_machine_is_told(machines):
    with pytest.raises(BadValueError, match="set MASTER_ADDR"):
        first_machine(machines)


def test_a_task_knows_its_number_and_where_to_meet():
    assert place_of(STEP) == Place(
        rank=5, size=8, local_rank=1, address="gpu07", port=20_000 + 14_567, is_bound=True
    )


def test_every_task_of_a_job_finds_the_same_port_and_another_job_another():
    ports = {
        launch_variables(STEP | {"SLURM_PROCID": str(number), "SLURM_JOB_ID": job})["MASTER_PORT"]
        for job in ("1234567", "1234568")
        for number in range(8)
    }
    assert len(ports) == 2
    assert all(20_000 <= int(port) < 40_000 for port in ports)


def test_an_address_and_a_port_that_are_given_go_before():
    given = launch_variables(STEP | {"MASTER_ADDR": "here", "MASTER_PORT": "1"})
    assert (given["MASTER_ADDR"], given["MASTER_PORT"]) == ("here", "1")


def test_the_machines_of_the_step_go_before_those_of_the_job():
    assert launch_variables(STEP | {"SLURM_STEP_NODELIST": "gpu12"})["MASTER_ADDR"] == "gpu12"


@pytest.mark.parametrize("environ", [{}, {"SLURM_PROCID": "0"}, STEP | {"SLURM_NTASKS": "1"}])
def test_a_single_task_is_no_team(environ):
    assert launch_variables(environ) is None
