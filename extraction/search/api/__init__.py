"""The API of retrievers and their executions."""
