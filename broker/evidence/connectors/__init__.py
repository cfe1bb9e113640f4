"""The kinds of register we can ask."""
