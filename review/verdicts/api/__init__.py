"""`/v1/annotations`: single, in bulk, their versions, and the vocabulary of labels."""
