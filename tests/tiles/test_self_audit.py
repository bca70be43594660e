"""The audit that a new set carries."""

import json
from dataclasses import replace

from mammoscope.tiles.audit.report import audit_tiles
from mammoscope.tiles.self_audit import audit_stage


def test_the_audit_lies_beside_the_set_and_knows_it_by_its_later_name(tile_set, tmp_path):
    tiles = tile_set()
    later = tmp_path / "later"
    audit_stage(tiles.folder, later, 3)
    told = (tiles.folder / "audit.json").read_text()
    assert json.loads(told)["name"] == "later"
    assert told == audit_tiles(replace(tiles, folder=later), seed=3).to_json()
