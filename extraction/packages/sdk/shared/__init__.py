"""Names under which packages know parts of `engine`, beside its own."""
