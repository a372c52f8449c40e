"""How is it read? Files, folders and data sets of the Hub as rows, each with its place."""
