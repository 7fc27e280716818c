"""Read-only questions to a live server, or to the text that its targets expose. Begin at ``doctor``."""
