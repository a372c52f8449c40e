"""What chapter 01 does: its figures, the comparison of both objectives, its studies."""
