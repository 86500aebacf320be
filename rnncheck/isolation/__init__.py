"""Targets in a process of their own, and what is told of them to the one that reports."""
