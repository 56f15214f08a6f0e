"""What the user would feel: how late sound and light are, path by path."""
