"""Compiled: the Beta distribution's functions, one number at a time and many side by side; the largest of normals."""
