"""Experiments behind ``data/results``, a file each: a grid, and what one run measures.

A study has ``KEYS``, the columns that tell its runs apart; ``TABLES``, the columns of
each of its tables; ``load()``, its data; ``grid()``, its configurations; and
``run(configuration)``, which returns rows by table, without the keys where these are
the configuration's own. It has ``RESUMES`` if a run that was stopped goes on in its
middle. Studies import from the floors above, in their functions: only
``engine.results`` imports them.
"""
