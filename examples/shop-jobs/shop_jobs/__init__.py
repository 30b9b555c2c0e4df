"""What a shop does in the background."""
