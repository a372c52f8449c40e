"""What a chapter does: a wing for each, with its live experiments and the grids that are too large for it."""
