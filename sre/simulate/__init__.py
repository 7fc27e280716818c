"""A fleet that goes wrong on demand: engine replicas and GPU cards as pure functions of time.

Begin at ``pool.simulate``: a story of ``rules/faults.yaml`` happens to one pool, and every signal becomes samples.
"""
