"""The idle report: what each card did, minute by minute, whose it was, what standing still cost, and what to do.

Begin at ``settling.settle``: minutes by state, as a server recorded them, become GPU-hours that add up to the cards
that the fleet file declares. Everything here is pure: who asks a server is ``sre.checks.idle``.
"""
