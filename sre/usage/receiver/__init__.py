"""The HTTP side of the exporter: what is posted, what is shown, and everything that could be done to a listener."""
