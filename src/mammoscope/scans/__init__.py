"""A scan to an image with its spacing, and on to a network's input."""
