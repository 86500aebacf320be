"""A cell from what was loaded: the arguments of its constructor, and what an error says of them."""
