"""How is it shared? Executed chapters as pages, an index, a comparison of two runs, the published run."""
