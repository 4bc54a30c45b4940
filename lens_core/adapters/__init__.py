"""Technology + role: everything that touches the world."""
