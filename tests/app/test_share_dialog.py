"""What is shared: a link that other machines can follow, and a picture of it."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from segno import make_qr

from sde_lab.app.components.share_dialog import externally_reachable, qr_code_uri

QUERY = "/lessons?model=Double+well&pin=double_well*euler*100"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "lab.localhost"])
@pytest.mark.parametrize("port", ["", ":8501"])
def test_a_link_to_oneself_becomes_a_link_for_others(host: str, port: str) -> None:
    link = f"http://{host}{port}{QUERY}"
    assert externally_reachable(link, True, "192.168.1.20") == f"http://192.168.1.20{port}{QUERY}"


@pytest.mark.parametrize("listens", [True, False])
def test_without_a_network_or_a_listening_server_the_link_stays(listens: bool) -> None:
    link = f"http://localhost:8501{QUERY}"
    assert externally_reachable(link, listens, None) == link
    assert externally_reachable(link, False, "192.168.1.20") == link


@pytest.mark.parametrize("link", [f"https://lab.example.org{QUERY}", "http://10.0.0.4:80/", ""])
def test_a_name_that_others_know_stays(link: str) -> None:
    assert externally_reachable(link, True, "192.168.1.20") == link


def test_the_picture_is_a_code_of_the_link() -> None:
    link = "http://192.168.1.20:8501/?" + "&".join(f"model.parameter{i}=1.25" for i in range(40))
    found = qr_code_uri(link)
    assert found.startswith("data:image/svg+xml")
    assert unquote(found).count("<path") == 2
    same = make_qr(link, error="l", boost_error=False)
    assert same.error == "L"
    assert found == same.svg_data_uri(border=4, scale=4, dark="#000", light="#fff", omitsize=True)
    assert qr_code_uri("") == ""
