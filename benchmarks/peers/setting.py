"""How large the model around a cell is, and how it is trained."""

INPUT_SIZE = HIDDEN_SIZE = OUTPUT_SIZE = 8
BATCH, STEPS = 4, 7
LEARNING_RATE = 1e-2
