"""The one schema history over all packages' tables."""
