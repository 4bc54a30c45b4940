"""Sign-off: whether a candidate may be promoted and, if not, every reason. Pure: no clock, no files, no keys.

``words`` is what the room speaks of; ``statement`` what people sign; ``streak``, ``risk``, ``approvals`` and
``break_glass`` judge a part each; ``readiness`` puts them together.
"""
