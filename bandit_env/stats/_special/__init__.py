"""The Beta distribution's functions, compiled: one number at a time, and many side by side."""
