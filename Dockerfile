# One image for every process; the command says which (mixcv/kernel/services/processes.py has them).
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    MIXCV_HOME=/data \
    MIXCV_STATIC=/app/staticfiles \
    MIXCV_HOST=0.0.0.0

RUN useradd --system --create-home --uid 10001 mixcv \
    && install --directory --owner=mixcv --group=mixcv /app /data /data/weights
WORKDIR /app

# Before the code, so that a change of code does not install everything again.
COPY requirements.lock .
RUN pip install --no-deps --requirement requirements.lock

COPY --chown=mixcv:mixcv . .
# By number, so that an orchestrator can see that it is not root.
USER 10001
RUN build="$(mktemp -d)" \
    && MIXCV_HOME="$build" MIXCV_SECRET_KEY=unused-while-building python manage.py collectstatic --no-input \
    && rm -rf "$build"

VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:8000/healthz', headers={'Host': 'localhost'}), timeout=8)"]
CMD ["python", "manage.py", "up"]
