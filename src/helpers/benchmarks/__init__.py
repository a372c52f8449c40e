"""What does a minute buy? Races against the clock; no test depends on them."""
