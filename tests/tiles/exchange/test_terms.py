"""Terms of the archives."""

from mammoscope.archives.open import NAMES
from mammoscope.tiles.exchange.terms import (
    UNKNOWN,
    card_licence,
    citation_of,
    licence_of,
    warnings_for,
)


def test_every_archive_of_scans_has_its_terms():
    unknown = [name for name in NAMES if licence_of(name) == UNKNOWN]
    # Tables, and tiles that name no patient: neither gives tiles.
    assert unknown == ["uci", "author-tiles"]


def test_mias_is_warned_of_and_cbis_is_not():
    (warning,) = warnings_for(["mini-mias", "cbis-ddsm", "mini-mias"])
    assert warning.startswith("This holds tiles of mini-mias, which may not be passed on (MIAS")


def test_an_archive_that_nobody_knows_is_warned_of():
    assert "whose terms are unknown" in warnings_for(["ours"])[0]
    assert citation_of("ours") == "none"


def test_the_cards_licence_is_that_of_all_archives_or_other():
    assert card_licence(["cbis-ddsm", "cbis-ddsm-800"]) == "cc-by-3.0"
    assert card_licence(["cbis-ddsm", "cmmd"]) == "other"
    assert card_licence(["mini-mias"]) == "other"
    assert card_licence([]) == "other"
