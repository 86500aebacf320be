"""What is tried on a cell that can be called, each thing once, and recorded as a Trace."""
