"""The sample registers: what a country already has and the broker only asks."""
