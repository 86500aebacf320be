"""rnncheck side by side with what people use today, on the same defects."""
