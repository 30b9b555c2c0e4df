"""Who knows whether a domain is registered, and what their answers say."""
