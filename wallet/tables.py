"""Tables of the wallet side: offers on their way to a wallet, nonces and holder keys that were used.

None names a person: what leads to one is sealed, first to the pre-authorized code, then to the access token.
"""

from sqlalchemy import Column, LargeBinary, MetaData, Table, Text

from keys.tables import Integer64

metadata = MetaData()

credential_offer = Table(
    "credential_offer",
    metadata,
    Column("permission_id", Text, primary_key=True),  # one permission, one offer
    Column("configuration", Text, nullable=False),
    Column("lookup", LargeBinary, nullable=False, index=True),  # finds a person's own waiting offer; the permission's
    Column("offer_hash", LargeBinary, nullable=False, unique=True),
    Column("code_hash", LargeBinary, nullable=False, unique=True),
    Column("page_box", LargeBinary, nullable=False),  # the offer's id, for the person's own pages: their data key
    Column("holder_box", LargeBinary, nullable=False),  # who it is: for the code, then for the access token
    Column("day", Text, nullable=False),  # of the preview key mixed into holder_box
    Column("tx_code_mac", LargeBinary),
    Column("attempts", Integer64, nullable=False, default=0),
    Column("state", Text, nullable=False),  # made, coded, redeemed, issued
    Column("token_hash", LargeBinary, unique=True),
    Column("expires", Integer64, nullable=False, index=True),  # microseconds
    sqlite_strict=True,
)

used_nonce = Table(
    "used_nonce",
    metadata,
    Column("nonce_hash", LargeBinary, primary_key=True),
    Column("expires", Integer64, nullable=False, index=True),  # microseconds
    sqlite_strict=True,
)

used_holder_key = Table(
    "used_holder_key",
    metadata,
    Column("key_mac", LargeBinary, primary_key=True),  # of its thumbprint; says of nobody whose it is
    sqlite_strict=True,
)
