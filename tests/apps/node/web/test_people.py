# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Who may come in: settings that would let in everybody or nobody, the tokens file, and clocks of sessions."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from monai_anomaly.apps.node.web.app import make_app
from monai_anomaly.apps.node.web.people import failures, sessions
from monai_anomaly.apps.node.web.people.failures import Failures
from monai_anomaly.apps.node.web.people.sessions import IDLE_SECONDS, LONGEST_SECONDS, Sessions
from monai_anomaly.apps.node.web.people.tokens import TokenEntry, Tokens, add_token
from monai_anomaly.apps.node.web.settings import WebSettings
from monai_anomaly.utils.exceptions import ConfigError
from tests.helpers.node_pages import make_guarded_node, make_node

ENTRY = TokenEntry("rita", "reader", "a" * 64)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "nobody could log in"),
        ({"login": False, "tokens_file": Path("t")}, "exclude each other"),
        ({"login": False, "host": "0.0.0.0"}, "is for a loopback address"),
        ({"login": False, "host": "pacs.example"}, "is for a loopback address"),
        ({"proxy_header": "X-User"}, "are given together"),
        ({"tokens_file": Path("t"), "trusted_proxies": ("127.0.0.1",)}, "are given together"),
        ({"proxy_header": "X-User", "trusted_proxies": ("proxy",)}, "'proxy' of 'trusted_proxies' is no IP address"),
        ({"login": False, "certificate": Path("c")}, "'certificate' and 'key' are given together"),
        ({"login": False, "score_max_bytes": 0}, "must be positive"),
        ({"login": False, "score_seconds": 0.0}, "must be positive"),
    ],
)
def test_settings_that_let_in_everybody_or_nobody_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        WebSettings(**settings)


def test_a_token_is_entered_as_a_hash_in_a_file_of_the_owner_alone(tmp_path):
    path = tmp_path / "tokens.yaml"
    token = add_token(path, "rita", "reader")
    assert token not in path.read_text() and stat.S_IMODE(path.stat().st_mode) == 0o600
    found = Tokens(path).find(token)
    assert found is not None and (found.name, found.role) == ("rita", "reader")
    assert Tokens(path).find(token + "x") is None


@pytest.mark.parametrize(
    ("name", "role", "words"),
    [
        ("", "reader", "1 to 64 letters"),
        ("a b", "reader", "1 to 64 letters"),
        ("x" * 65, "reader", "1 to 64 letters"),
        ("eve", "root", "is one of reader, admin, sender, not 'root'"),
        ("rita", "admin", "has a token of 'rita'; remove its line first"),
    ],
)
def test_a_token_that_cannot_be_is_one_sentence_and_changes_nothing(tmp_path, name, role, words):
    path = tmp_path / "tokens.yaml"
    add_token(path, "rita", "reader")
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=words):
        add_token(path, name, role)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        *("{", "name: rita", "- rita", "- {name: rita}", "- {name: 'a b', role: reader, sha256: " + "a" * 64 + "}"),
        *("- {name: rita, role: king, sha256: " + "a" * 64 + "}", "- {name: rita, role: reader, sha256: secret}", "7"),
        "- {name: rita, role: reader, sha256: " + "a" * 64 + ", more: 1}",
    ],
)
def test_a_broken_file_is_refused_without_its_content(tmp_path, text):
    path = tmp_path / "tokens.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is no list of name, role and sha256") as caught:
        Tokens(path)
    assert "rita" not in str(caught.value).replace(str(path), "")


def test_a_name_twice_and_a_file_that_is_not_there_are_errors(tmp_path):
    path = tmp_path / "tokens.yaml"
    with pytest.raises(ConfigError, match="cannot be read"):
        Tokens(path)
    line = f"- {{name: rita, role: reader, sha256: {'a' * 64}}}\n"
    path.write_text(line + line)
    with pytest.raises(ConfigError, match="names somebody twice"):
        Tokens(path)
    with pytest.raises(ConfigError, match="cannot be written"):
        add_token(tmp_path / "none" / "tokens.yaml", "rita", "reader")


def test_while_the_file_is_broken_or_gone_nobody_gets_in(tmp_path):
    path = tmp_path / "tokens.yaml"
    token = add_token(path, "rita", "reader")
    tokens, good = Tokens(path), path.read_bytes()
    entry = tokens.find(token)
    assert entry is not None and tokens.still(entry)
    path.write_text("{")
    assert tokens.find(token) is None and not tokens.still(entry)
    path.unlink()
    assert tokens.find(token) is None
    path.write_bytes(good)
    assert tokens.find(token) == entry


def test_a_session_ends_when_it_is_not_used_and_after_a_working_day():
    clock = Clock()
    open_sessions = Sessions(clock)
    cookie = open_sessions.begin(ENTRY)
    for _ in range(int(LONGEST_SECONDS / IDLE_SECONDS)):
        clock.now += IDLE_SECONDS
        assert open_sessions.find(cookie) is not None
    clock.now += 1
    assert open_sessions.find(cookie) is None
    cookie = open_sessions.begin(ENTRY)
    clock.now += IDLE_SECONDS + 1
    assert open_sessions.find(cookie) is None and open_sessions.find("other") is None


def test_the_oldest_session_ends_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(sessions, "_MOST", 2)
    open_sessions = Sessions(Clock())
    first, second, third = (open_sessions.begin(ENTRY) for _ in range(3))
    assert open_sessions.find(first) is None
    assert open_sessions.find(second) is not None and open_sessions.find(third) is not None


def test_failures_are_forgotten_in_time_and_bounded(monkeypatch):
    monkeypatch.setattr(failures, "_MOST_ADDRESSES", 2)
    clock = Clock()
    counted = Failures(most=2, seconds=10.0, clock=clock)
    counted.add("a")
    clock.now = 4.0
    assert counted.wait("a") == 0.0
    counted.add("a")
    assert counted.wait("a") == 6.0
    clock.now = 11.0
    assert counted.wait("a") == 0.0
    counted.add("a")
    counted.forget("a")
    for address in ("b", "b", "c", "d"):
        counted.add(address)
    assert counted.wait("b") == 0.0  # the third address pushed it out


def test_a_proxy_says_where_a_failed_login_came_from(tmp_path):
    node, _ = make_guarded_node(tmp_path, proxy_header="X-User", trusted_proxies=("10.0.0.1",))
    client = TestClient(make_app(node), base_url="http://127.0.0.1", client=("10.0.0.1", 1))
    for _ in range(5):
        client.post("/login", data={"token": "x"}, headers={"X-Forwarded-For": "192.0.2.1, 192.0.2.7"})
    statuses = {
        said: client.post("/login", data={"token": "x"}, headers={"X-Forwarded-For": said}).status_code
        for said in ("192.0.2.7", "192.0.2.1", "")
    }
    assert statuses == {"192.0.2.7": 429, "192.0.2.1": 403, "": 403}


@pytest.mark.parametrize(("proto", "secure"), [("https", True), ("http", False), (None, True)])
def test_a_cookie_is_for_tls_alone_where_the_browser_speaks_it(tmp_path, proto, secure):
    node, tokens = make_guarded_node(tmp_path, proxy_header="X-User", trusted_proxies=("10.0.0.1",))
    client = TestClient(make_app(node), base_url="http://127.0.0.1", client=("10.0.0.1", 1), follow_redirects=False)
    headers = {} if proto is None else {"X-Forwarded-Proto": proto}
    answer = client.post("/login", data={"token": tokens["rita"]}, headers=headers)
    assert answer.status_code == 303 and ("Secure" in answer.headers["set-cookie"]) == secure


@pytest.mark.parametrize("body", [b"\xff\xfe=1", b"&".join(b"a=1" for _ in range(30))])
def test_what_is_no_form_is_refused(tmp_path, body):
    client = TestClient(make_app(make_node(tmp_path, 1)), base_url="http://127.0.0.1")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/case/1/verdict", content=body, headers=headers).status_code == 400


def test_a_reader_is_told_what_takes_an_admin_and_a_program_no_form(tmp_path):
    node, tokens = make_guarded_node(tmp_path, 10)
    client = TestClient(make_app(node), base_url="http://127.0.0.1", follow_redirects=False)
    reader = {"Authorization": f"Bearer {tokens['rita']}"}
    assert client.post("/case/10/again", headers=reader).status_code == 403
    assert client.post("/case/1/verdict", data={"verdict": "agree"}, headers=reader).status_code == 403
    assert client.get("/", headers={"Authorization": f"Basic {tokens['rita']}"}).status_code == 303
    os.unlink(node.settings.tokens_file)
    assert client.get("/", headers=reader).status_code == 303
