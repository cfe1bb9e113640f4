"""The schema at the type's own address (RFC 9396 §2.1)."""

from broker.endpoints import details_schema, discovery
from tests.broker.provider import Provider
from tests.broker.relying import ISSUER


def test_the_type_is_the_address_of_its_schema(provider: Provider) -> None:
    answer = provider.call(details_schema, provider.request("GET", details_schema.PATH, []), "public")
    (named,) = discovery.document(ISSUER, ["openid"])["authorization_details_types_supported"]
    assert answer.status == 200
    assert answer.body["$id"] == answer.body["properties"]["type"]["const"] == named == ISSUER + details_schema.PATH
