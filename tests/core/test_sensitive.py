"""Which names sound like a secret's, by whole words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reactive_config.core import sensitive
from reactive_config.core.sensitive import is_sensitive

SECRET = """
    pass passwd password passwords pwd pw passphrase passcode secret secrets token tokens credential credentials creds
    private dsn jwt authorization api_key api-key apikey apiKey APIKey API_KEYS access_key accessKeyId key keys
    signing_key auth basic_auth proxy-auth OAuth2 pin card_pin cert tls_cert certs pem cookie salt bearer otp
    db_pass DBPassword dbPass password2 key1 pgpassword clientsecret accesstoken sentrydsn private_key
    a.secret.b secret_value token_url password_hash connection_string secret_sort_key AWS_SECRET_ACCESS_KEY
"""
ORDINARY = """
    compass monkey keyboard keynote hockey turkey pinned spin author authority auth_url auth_mode passthrough
    pass_through passenger bypass tokenizer secretary certain max_tokens maxTokens prompt_tokens token_bucket
    token_count tokens_limit password_min_length token_ttl key_file cert_path password_file sort_key sort_keys
    partitionKey primary_key cache_key public_key name url host port log level pool max_size a.b 42 _
"""


@pytest.mark.parametrize("name", SECRET.split())
def test_a_name_with_such_a_word_is_sensitive(name):
    assert is_sensitive(name)
    assert is_sensitive(name.upper()) or name != name.lower()
    assert is_sensitive(f"section.{name}")


@pytest.mark.parametrize("name", [*ORDINARY.split(), ""])
def test_a_name_that_only_contains_its_letters_is_not(name):
    assert not is_sensitive(name)


def test_a_name_of_any_length_is_judged_at_both_ends():
    assert is_sensitive("x_" * 500_000 + "password")
    assert is_sensitive("password_" + "x_" * 500_000)
    assert not is_sensitive("x" * 1_000_000)
    assert not is_sensitive("." * 1_000_000)


def test_the_guide_has_every_word():
    guide = Path(__file__).parents[2] / "docs/guide.md"
    chapter = guide.read_text().partition("## Secrets\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"\w+", chapter))
    words = sensitive.ANYWHERE | sensitive.LAST | sensitive.ORDINARY_KEYS | sensitive.COUNTED | sensitive.MEASURES
    assert {*words, *sensitive.ENDINGS} - told == set()
