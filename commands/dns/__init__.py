"""DNS for commands: c-ares channels, one for each name server, and their accounts."""
