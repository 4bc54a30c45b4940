"""The compatibility drill: what earlier versions wrote, what was observed of it, and what that says.

Judges are pure: bytes of observations in, answers out. ``asking`` and ``run`` do what the command does, through ports.
"""
