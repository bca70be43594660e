"""The audit of a tile set or of anybody's pictures: leaks between splits, and shortcuts."""
