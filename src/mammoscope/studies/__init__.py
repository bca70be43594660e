"""The experiments of the paper as programs over the layers below."""
