"""How does it learn? One engine for pretraining, classifiers and conversations."""
