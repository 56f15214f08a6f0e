"""What is looked at: thin, and without an opinion."""
