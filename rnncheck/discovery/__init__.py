"""How a cell is called, found by its own word, its code and trying."""
