from extraction.runs.hooks import WrittenChunk


def fill_from_chunk(chunk: WrittenChunk) -> None:
    ...
