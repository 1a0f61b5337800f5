"""What Prometheus is told: counters and latencies, the state of queues, model and memory."""

from assistant.metrics.counters import Metrics

__all__ = ["Metrics"]
