"""Fixtures that several packages' tests share."""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-real",
        action="store_true",
        help="fail, instead of skipping, the tests whose real scans are not here",
    )


@pytest.fixture(scope="session")
def shared_data(request: pytest.FixtureRequest) -> Path:
    """The folder of real scans beside the repository; tests that need it skip without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        missing = f"the real scans are not here ({folder})"
        if request.config.getoption("--require-real"):
            pytest.fail(missing)
        pytest.skip(missing)
    return folder
