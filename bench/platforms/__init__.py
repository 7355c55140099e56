"""Stand-in platforms, one of each class of proof, for the trials of the engine; never among the real ones."""
