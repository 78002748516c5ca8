"""The honest benchmark: the same nets and operations in jconv, plain lax, Flax, Equinox and
PyTorch, timed in turn in one process.

Cases are data (ops.py, nets.py), what is done with them a word (case.py), who does it a contestant
(contestants.py). Nothing is imported here: who only wants a list of cases should not wait for four
frameworks.
"""
