"""NumPy contract."""
