"""The same promises on both databases."""
