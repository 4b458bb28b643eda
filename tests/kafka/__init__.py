"""Real Apache Kafka for tests: `KafkaCluster` starts brokers, stops them, kills or pauses one."""

from .cluster import KafkaCluster

__all__ = ["KafkaCluster"]
