"""The past of every card's state, read from a server: recorded where its rules ran, else evaluated here over raw series.

Either way it is the same series, `gpu:state:info`, made by the same compiled rules; only who evaluates them differs.
"""
