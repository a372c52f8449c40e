"""How does it learn? Pretraining; later chapters add fine-tuning and comparisons."""
