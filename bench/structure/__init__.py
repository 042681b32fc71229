"""How the package is built: what one change passes, its numbers, and the drawing of its rooms.

Nothing here imports the rest of bench, so that a copy of this folder can look at another layout of the package.
"""
