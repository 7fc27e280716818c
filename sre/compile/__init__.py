"""Fleet and catalogue into artefacts: pure, without clock, network or disk. Begin at ``compilation.compile``."""
