"""Networks, their weights and contracts; the lowest layer that imports torch."""
