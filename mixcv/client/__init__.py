"""The Python client of mixcv's API. It needs httpx and nothing of the server.

from mixcv.client import Client

client = Client(api_key="mxcv_…", base_url="http://127.0.0.1:8000")
bucket = client.buckets.create(name="shelf")
client.buckets.objects.upload(bucket_id=bucket.bucket_id, files=["one.jpg"])
"""

from mixcv.client.client import Client
from mixcv.client.errors import ApiError
from mixcv.client.rows import Page, Row

__all__ = ["ApiError", "Client", "Page", "Row"]
