"""Who may call what: every route, every role."""

import pytest

from tibs_chassis.app import Service
from tibs_chassis.testing import walk_access
from tibs_chassis.tokens import TokenMinter
from tibs_matching.access import ACCESS


@pytest.mark.integration
async def test_every_route_lets_in_whom_the_matrix_names(matching: Service, minter: TokenMinter) -> None:
    assert matching.api is not None
    assert await walk_access(matching.api, ACCESS, minter=minter, audience="matching") == []
