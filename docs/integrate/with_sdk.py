import asyncio
import sys

from tibs_contracts.events import ProfilePublished
from tibs_contracts.sdk import subscribe


async def main() -> None:
    async for event in subscribe(sys.argv[1], ProfilePublished):
        print(event.envelope.region, event.data.title, flush=True)


asyncio.run(main())
