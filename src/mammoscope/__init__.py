"""Read mammograms with convolutional networks, and say how far the answer can be trusted."""

__version__ = "0.1.0"
