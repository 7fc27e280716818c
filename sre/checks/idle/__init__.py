"""The past of every card's state: recorded where a server's rules ran, else evaluated here over its raw series.

Either way it is the same series, `gpu:state:info`, made by the same compiled rules; only who evaluates them differs.
"""
