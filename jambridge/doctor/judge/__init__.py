"""What is to be thought of what was seen: facts in, findings out. Pure."""
