"""How a cell is called: what goes in, which of it is the state, and what comes back."""
