"""Recording 1,000 verdicts in one call, against COPY of as many rows into a bare table of the same columns."""

from __future__ import annotations

import statistics
import time

from benchmarks.installation import installation

VERDICTS = 1000
ROUNDS = 5


def main() -> None:
    with installation():
        from django.db import connection

        from extraction.runs.models import Detection
        from mixcv.tenancy.actors import Actor
        from review.verdicts.domain import Verdict, record_verdicts
        from tests import factories as make

        namespace = make.make_namespace("bench")
        collection = make.make_collection(make.make_bucket(namespace))
        ours, copies = [], []
        for _ in range(ROUNDS):
            make.make_detected(collection, VERDICTS // 3 + 1)
            undecided = Detection.objects.filter(decided_label="").order_by("pk").values_list("pk", flat=True)
            verdicts = [Verdict("confirmed", key) for key in undecided[:VERDICTS]]
            began = time.perf_counter()
            outcomes = record_verdicts(namespace=namespace, verdicts=verdicts, by=Actor("bench"))
            ours.append(time.perf_counter() - began)
            assert all(outcome.error is None for outcome in outcomes)
            with connection.cursor() as cursor:
                cursor.execute("CREATE TEMP TABLE bare (LIKE review_annotation)")
                cursor.execute("SELECT * FROM review_annotation ORDER BY id DESC LIMIT %s", [VERDICTS])
                rows = cursor.fetchall()
                began = time.perf_counter()
                with cursor.copy("COPY bare FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
                copies.append(time.perf_counter() - began)
                cursor.execute("DROP TABLE bare")
        print(
            f"1,000 verdicts with history, truth, queue and events: median {statistics.median(ours):.2f} s "
            f"({VERDICTS / statistics.median(ours):,.0f} a second; budget 1 s); bare COPY of the rows alone "
            f"{statistics.median(copies):.3f} s; ratio {statistics.median(ours) / statistics.median(copies):.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
