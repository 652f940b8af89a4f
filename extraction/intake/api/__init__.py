"""`/v1/buckets`, the objects in them, and presigned uploads."""
