"""Vocabulary, records, geometry, the model contract and the tree of errors; no I/O."""
