"""Each command against real name servers."""
