"""`tls`, against servers with certificates of every kind."""
