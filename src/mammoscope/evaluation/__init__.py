"""Figures with intervals; numpy and scipy only."""
