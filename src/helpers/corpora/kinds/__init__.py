"""What is a row? Texts with labels, conversations: each kind with its parser and its check."""
