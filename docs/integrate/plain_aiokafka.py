import asyncio
import sys

from aiokafka import AIOKafkaConsumer


async def main() -> None:
    async with AIOKafkaConsumer(bootstrap_servers=sys.argv[1], auto_offset_reset="earliest") as consumer:
        consumer.subscribe(pattern=r"^tibs\.[a-z0-9]+\.registry\.v1$")
        async for record in consumer:
            if ("ce_type", b"eu.tibs.profile.published.v1") in record.headers:
                print(record.topic, record.value.decode(), flush=True)


asyncio.run(main())
