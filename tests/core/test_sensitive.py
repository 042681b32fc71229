"""Which names sound like a secret's, by whole words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reactive_config._core import sensitive
from reactive_config._core.sensitive import is_sensitive

SECRET = """
    pass passwd password passwords pwd pw passphrase passcode secret secrets token tokens credential credentials creds
    dsn jwt authorization api_key api-key apikey apiKey APIKey API_KEYS access_key accessKeyId key keys
    signing_key auth basic_auth proxy-auth OAuth2 pin card_pin cert tls_cert certs pem cookie salt bearer otp
    db_pass DBPassword dbPass password2 key1 pgpassword clientsecret accesstoken sentrydsn private_key
    a.secret.b secret_value password_hash connection_string secret_sort_key AWS_SECRET_ACCESS_KEY
    ConnectionStrings connection_strings secretkey privatekey masterkey sessionkey authkey hmackey aeskey rsakey
    PRIVATEKEY snmp_authkey minio_secretkey dbpass DBPASS userpass keypass storepass requirepass privpass bindpw rootpw
    ldap_bind_pw psk wifi_psk github_pat GH_PAT sas SharedAccessSignature shared_access_signature signature mnemonic
    otp_seed
    recovery_codes backupCodes pepper .dockerconfigjson id_rsa keytab krb5_keytab kubeconfig masterauth
    private_key private_token privatePem private_cert ssh_private_key_data access_token_2 secret_hash_key card_pin
"""
ORDINARY = """
    compass monkey keyboard keynote hockey turkey pinned spin author authority auth_url auth_mode passthrough
    pass_through passenger bypass tokenizer secretary certain max_tokens maxTokens prompt_tokens token_bucket
    token_count tokens_limit password_min_length token_ttl key_file cert_path password_file sort_key sort_keys
    token_url token_type tokenEndpoint secretName secret_ref token_issuer jwt_audience jwt_algorithm password_policy
    token_header secret_provider secrets_dir auth_enabled PASSWORD_HASHERS AUTH_PASSWORD_VALIDATORS secret_store
    ACCESS_TOKEN_EXPIRE_MINUTES credentials_mode token_uri private private_ip privateSubnets is_private private_registry
    object_key s3_key label_key topologyKey hash_key range_key dedup_key dedupe_key idempotency_key message_key join_key
    natural_key required_keys allowed_keys kms_key kms_key_id stop_tokens special_tokens eos_token pad_tokens bos_token
    max_new_tokens led_pin gpio_pins tx_pin surpass trespass encompass underpass lowpass bypass_all path pattern spat
    kmsKeyId privacy signatures_dir partitionKey primary_key cache_key public_key name url host port log
    level pool max_size a.b 42 _
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
    sets = {name: value for name, value in vars(sensitive).items() if name.isupper() and isinstance(value, frozenset)}
    assert len(sets) == 8
    assert set().union(*sets.values(), sensitive.ENDINGS, sensitive.LAST_ENDINGS) - told == set()
