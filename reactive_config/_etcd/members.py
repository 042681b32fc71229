"""What a cluster says about its members."""

from __future__ import annotations

import msgspec

from reactive_config._etcd.link import Link
from reactive_config._etcd.rpc import MemberListRequest


class ClusterMember(msgspec.Struct, frozen=True):
    """One member, as it advertises itself.

    Attributes:
        name: Empty until it has started for the first time.
        urls: Of its clients; none until then.
        learner: It has no vote yet, and answers no linearizable read.
    """

    name: str
    urls: tuple[str, ...]
    learner: bool


class MemberList(msgspec.Struct, frozen=True):
    """All members, and the id of their cluster."""

    cluster: int
    members: tuple[ClusterMember, ...]


async def list_members(link: Link) -> MemberList:
    """Ask for the members.

    Raises:
        Unavailable, Refused: See `errors`.
    """
    reply = await link.call(link.cluster.MemberList, MemberListRequest())
    members = tuple(ClusterMember(m.name, tuple(m.clientURLs), m.isLearner) for m in reply.members)
    return MemberList(int(reply.header.cluster_id), members)
