"""PostgreSQL and Valkey from wheels, started and stopped by mixcv itself where no server is named."""
