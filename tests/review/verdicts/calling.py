"""A caller of the annotations' API."""

from __future__ import annotations

from typing import Any

from django.test import Client


class Caller:
    """`api("post", "/bulk", body)`: the answer's JSON; `status` is what is expected."""

    def __init__(self, client: Client, key: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {key}", "X-Namespace": "demo"}

    def __call__(
        self, method: str, path: str = "", body: Any = None, *, status: int = 200, **query: Any
    ) -> Any:
        url = f"/v1/annotations{path}"
        if method == "get":
            answer = self.client.get(url, query, headers=self.headers)
        else:
            send = getattr(self.client, method)
            content = {} if body is None else body
            answer = send(url, content, content_type="application/json", headers=self.headers)
        assert answer.status_code == status, answer.content
        return answer.json()
