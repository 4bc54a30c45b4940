"""What a release candidate is made of and what is known about it: bytes in, bytes and answers out.

Pure: no file is opened and no clock is read here. Adapters build, scan and ask; this room says what their
output means, seals it, and verifies it again.
"""
