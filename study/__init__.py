"""How often the latency gates decide wrongly: a simulation of the product's own functions.

``make study`` rebuilds ``docs/latency-study.md``'s tables, its figures and ``docs/study/characteristic.json``.
Random numbers are the subject here; no verdict of the product rests on one.
"""
