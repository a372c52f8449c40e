"""What chapter 03 does: the grid of starts and labels, new domains, its studies."""
