"""What lies beside every export."""

import json

from mammoscope.tiles.exchange.cards import read_card
from mammoscope.tiles.exchange.trade import Format, export_tiles


def test_the_card_tells_splits_licences_and_provenance(make_set, tmp_path):
    tiles = make_set()
    export_tiles(tiles, tmp_path / "out", Format.FOLDER)
    told = json.loads((tmp_path / "out/mammoscope.json").read_text())
    assert {split: one["tiles"] for split, one in told["splits"].items()} == {
        "train": 6,
        "validation": 2,
        "test": 4,
    }
    assert "no redistribution" in told["licences"]["mini-mias"]
    assert told["provenance"]["recipe"] == "9"
    assert "files" not in told["provenance"]
    assert read_card(tmp_path / "out").kind == "folder"
    assert read_card(tmp_path) is None


def test_the_readme_for_the_hub_names_licence_and_files_of_each_split(make_set, tmp_path):
    export_tiles(make_set(archive="cbis-ddsm"), tmp_path / "out", Format.HUGGINGFACE)
    text = (tmp_path / "out/README.md").read_text()
    head, _, body = text.partition("\n---\n")
    assert head.startswith("---\nlicense: cc-by-3.0\n")
    for split in ("train", "validation", "test"):
        assert f"  - split: {split}\n    path: data/{split}-*" in head
    assert "cbis-ddsm: CC BY 3.0. Cite: Lee et al. 2017" in body
    assert "not a medical device" in body


def test_the_readme_says_that_mias_may_not_be_passed_on(make_set, tmp_path):
    export_tiles(make_set(), tmp_path / "out", Format.WEBDATASET)
    text = (tmp_path / "out/README.md").read_text()
    assert text.startswith("# Tiles of mammograms, recipe 9")
    assert "**This holds tiles of mini-mias, which may not be passed on" in text
