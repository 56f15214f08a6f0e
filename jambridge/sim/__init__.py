"""Virtual devices, for the demo, the tests and whoever has no hardware at hand."""
