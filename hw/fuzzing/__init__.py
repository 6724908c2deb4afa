"""Random cases in every simulator, and what fails made small."""
