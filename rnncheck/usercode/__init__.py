"""The user's own source: what it defines, what it names, and where."""
