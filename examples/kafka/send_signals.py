#!/usr/bin/env python3
"""Signals by Kafka alone: send_signals.py BROKERS CLUSTER WORKFLOW_ID TASK_QUEUE COUNT

Needs: pip install confluent-kafka fastavro. The workflow is started by the first signal.
"""
import sys

from confluent_kafka import Producer

from perdure_command import signal_with_start


def main():
    brokers, cluster, workflow_id, task_queue, count = sys.argv[1:6]
    # murmur2_random is the partitioner of Java's producer; others work, at the cost of a detour.
    producer = Producer({"bootstrap.servers": brokers, "partitioner": "murmur2_random",
                         "enable.idempotence": True})
    for i in range(int(count)):
        producer.produce(
            f"{cluster}.commands", key=workflow_id,
            value=signal_with_start(workflow_id, "Orders", task_queue, "order", {"number": i}),
            headers={"command-id": f"order-{i}"},
            on_delivery=lambda error, _: error and sys.exit(str(error)))
        producer.poll(0)
    producer.flush()


if __name__ == "__main__":
    main()
