"""Everything at once, without hardware or account."""
