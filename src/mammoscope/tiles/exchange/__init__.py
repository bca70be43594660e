"""Tile sets out to other programs' formats, and back in without loss."""
