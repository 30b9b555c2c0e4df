"""Running external programs on behalf of strangers, and reading what they print."""
