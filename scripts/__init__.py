"""The commands: one job a file, each with `main(argv=None) -> int`; `jconv NAME ...` runs
NAME.py.
"""
