"""Real English: the docstrings of installed packages as a corpus, and tasks made from them."""
