"""Real English: the docstrings of the installed packages, and what is made of them."""
