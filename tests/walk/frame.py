"""A frame of 1920×1080 on which the demo's weights find many digits, and an S3 server that holds it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from PIL import Image

from extraction.demo.scenes import render_scene

# Of the scenes tried, the one with the widest margin: 12 detections at 0.25, ten of them above 0.7.
INDEX, SEED, TOP = 19, 21, 60
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "walker",
    "AWS_SECRET_ACCESS_KEY": "walkers-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def make_frame() -> bytes:
    """A JPEG: a scene of twelve digits, cut to 16:9 and enlarged three times."""
    scene = render_scene(split="holdout", index=INDEX, seed=SEED, digits=range(7))
    part = Image.fromarray(scene.image).crop((0, TOP, 640, TOP + 360))
    out = io.BytesIO()
    part.resize((1920, 1080), Image.Resampling.LANCZOS).save(out, "JPEG", quality=92)
    return out.getvalue()


@contextlib.contextmanager
def s3_with(bucket: str, objects: dict[str, bytes]) -> Iterator[dict[str, str]]:
    """The environment that names a server of S3's protocol with these objects. It ends with the block."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        _, port = server.get_host_and_port()
        environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", **CREDENTIALS}
        client = boto3.client(
            "s3",
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        client.create_bucket(Bucket=bucket)
        for key, content in objects.items():
            client.put_object(Bucket=bucket, Key=key, Body=content)
        yield environment
    finally:
        server.stop()
