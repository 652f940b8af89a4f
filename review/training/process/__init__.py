"""What runs in the training process: no Django, no database, no broker, no secret.

The package is loaded from its folder by `__main__.py`, under a name of its own, and imports nothing of mixcv's.
"""
