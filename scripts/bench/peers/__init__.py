"""The other frameworks' nets, one a file: built of their own layers from jconv's settings and
numbers, trained their own way.
"""
