"""Usage records in, metrics out: who used what, what came of it, and why it failed."""
