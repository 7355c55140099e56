"""Local stand-ins for the platforms: they enforce the documented rules and lose answers on request.

They are written from public documentation and from what was seen on real servers. They are not the platforms:
passing here shows what Handbill does, not what a platform will.
"""
