"""What one check or job does: one file a command, and a registry that other packages add to."""
