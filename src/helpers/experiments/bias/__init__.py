"""Chapter 09: how much of a text's bias a model takes up, what meters of it are worth, and what reduces it."""
