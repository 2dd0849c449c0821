"""Where work is done: here, on processes of this machine, on a cluster. Engines know nothing of experiments."""
