"""The demo's plan: own origins, filled declarations, a clear word when a port is taken."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from broker import demo
from broker.clients.registry import Registry
from broker.egress import Egress

SOURCE = Path(__file__).parents[2] / "openid-config"


def test_every_part_has_an_origin_of_its_own(tmp_path: Path) -> None:
    plan = demo.Plan(8000, tmp_path)
    places = [plan.issuer, plan.tax, *plan.agencies.values()]
    assert len({urlsplit(place).port for place in places}) == len(places) == len(plan.ports)
    assert {urlsplit(place).hostname for place in places[1:]} == {"127.0.0.1"}
    assert urlsplit(plan.issuer).hostname == "localhost"  # cookies ignore ports, not hosts


def test_the_declarations_are_complete_once_filled(tmp_path: Path) -> None:
    plan = demo.Plan(8000, tmp_path)
    demo.fill_config(SOURCE, tmp_path / "config", plan.placeholders())
    filled = "".join(path.read_text() for path in (tmp_path / "config").rglob("*.toml"))
    assert "${" not in filled
    clients = Registry.load(tmp_path / "config", Egress(), mode="demo").all()
    assert [client.client_id for client in clients] == sorted(plan.agencies)
    assert all(uri.startswith(plan.agencies[c.client_id] + "/") for c in clients for uri in c.redirect_uris)


def test_a_placeholder_nobody_fills_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a.toml").write_text('url = "${agency.nobody}"')
    with pytest.raises(KeyError, match=r"agency\.nobody"):
        demo.fill_config(tmp_path / "from", tmp_path / "to", {})


def test_filling_again_drops_what_is_no_longer_declared(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a.toml").write_text("")
    demo.fill_config(tmp_path / "from", tmp_path / "to", {})
    (tmp_path / "to" / "old.toml").write_text("")
    demo.fill_config(tmp_path / "from", tmp_path / "to", {})
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["a.toml"]


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        plan = demo.Plan(port - 1, tmp_path)
        with pytest.raises(demo.DemoFailed, match=str(port)):
            demo.run(plan, source=SOURCE, announce=print, progress=print)
    assert not (tmp_path / "semel.db").exists()
