"""Which topics a region takes over from another."""

from itertools import permutations

import pytest

from tibs_contracts.topics import Channel, Topic, declared, pulled

REGIONS = ("pl84", "lv008", "ee008", "lt", "fi1c", "de60", "dk03")


@pytest.mark.parametrize(("region", "peer"), list(permutations(REGIONS, 2)))
def test_a_region_pulls_what_its_peer_wrote_for_it_and_never_what_could_be_its_own(region: str, peer: str) -> None:
    taken = [Topic.parse(one.name) for one in pulled(region, peer)]
    assert {topic.region for topic in taken} == {peer}
    assert {topic.to for topic in taken if topic.channel.bilateral} == {region}
    assert {topic.channel for topic in taken} == set(Channel) - {Channel.LOCAL}
    written = {one.name: one for one in declared(peer, [region])}
    assert {(one.name, one.partitions) for one in pulled(region, peer)} <= {
        (one.name, one.partitions) for one in written.values()
    }
    assert not {one.name for one in pulled(region, peer)} & {one.name for one in declared(region, [peer])}


def test_no_region_pulls_from_itself() -> None:
    with pytest.raises(ValueError, match="'lt' does not pull from itself"):
        pulled("lt", "lt")
