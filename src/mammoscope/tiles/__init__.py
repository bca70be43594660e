"""Tile recipes, grids and stores."""
