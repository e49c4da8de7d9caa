"""Checks of this package's heads: in real arithmetic, by their stored weights, and in the forward pass."""
