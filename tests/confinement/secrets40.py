"""Forty secrets of the forms that leak: keys, tokens, private keys, connection strings, names of people. None is real;
each is put together here, so that no scanner of secrets stumbles over this file."""

from __future__ import annotations

_HEX = "9f86d081884c7d659a2feaa0c55ad015"
_MIX = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7"
_UP = "QWERTYUIOPASDFGHJKLZ"

SECRETS: dict[str, str] = {
    "AWS access key": "AK" + "IA" + _UP[:16],
    "AWS secret key": "aws_secret_access_key=" + _MIX + "xyzABC0123/+",
    "GitHub token": "gh" + "p_" + _MIX + "aaaaaaaaa",
    "GitHub fine-grained token": "github" + "_pat_" + _MIX + "_" + _HEX,
    "GitLab token": "gl" + "pat-" + _MIX[:20],
    "Slack bot token": "xo" + "xb-123456789012-" + _MIX,
    "Slack webhook": "https://hooks." + "slack.com/services/T000/B000/" + _MIX[:24],
    "OpenAI key": "s" + "k-proj-" + _MIX + _MIX,
    "Anthropic key": "s" + "k-ant-api03-" + _MIX + _MIX,
    "Hugging Face token": "h" + "f_" + _MIX + "abcdefg",
    "Google API key": "AI" + "za" + "Sy" + _MIX + "abcdef",
    "Google OAuth secret": "GOC" + "SPX-" + _MIX,
    "Stripe live key": "s" + "k_live_" + _MIX,
    "Stripe restricted key": "r" + "k_live_" + _MIX,
    "Twilio SID": "A" + "C" + _HEX,
    "SendGrid key": "S" + "G." + _MIX[:22] + "." + _MIX + _HEX[:16],
    "Mailgun key": "ke" + "y-" + _HEX,
    "npm token": "np" + "m_" + _MIX + "abcdefghi",
    "PyPI token": "pypi-" + "AgEIcHlwaS5vcmc" + _MIX,
    "Docker token": "dc" + "kr_pat_" + _MIX,
    "DigitalOcean token": "do" + "p_v1_" + _HEX + _HEX,
    "Azure storage key": "AccountKey=" + _MIX + _HEX + _MIX + "==",
    "Azure SAS": "sig=" + _MIX + "%2F" + _HEX + "%3D&se=2030-01-01",
    "Databricks token": "dap" + "i" + _HEX,
    "Telegram bot token": "123456789:" + "AA" + _MIX + "abcdef",
    "Discord token": "MTI" + _MIX[:21] + ".Gabcde." + _MIX,
    "JSON web token": "ey" + "JhbGciOiJIUzI1NiJ9." + "ey" + "JzdWIiOiIxIn0." + _MIX,
    "RSA private key": "-----BEGIN RSA " + "PRIVATE KEY----- MIIE" + _MIX,
    "OpenSSH private key": "-----BEGIN OPENSSH " + "PRIVATE KEY----- b3Bl" + _MIX,
    "PGP private key": "-----BEGIN PGP " + "PRIVATE KEY BLOCK----- lQOY" + _MIX,
    "age secret key": "AGE-SECRET-" + "KEY-1" + _UP + _UP,
    "database URL": "postgres://admin:" + "hunter2" + _HEX[:8] + "@db.internal/prod",
    "redis URL": "redis://:" + "p4ss" + _HEX[:8] + "@cache.internal:6379/0",
    "basic authentication": "Authorization: Basic " + "YWRtaW46" + _MIX,
    "bearer token": "Authorization: Bearer " + _MIX + _HEX,
    "password": "password=" + "Tr0ub4dor&3" + _HEX[:6],
    "e-mail": "jane.doe." + _HEX[:6] + "@mail.example",
    "telephone": "+49-151-" + "86402957" + "-ext-" + _HEX[:5],
    "IBAN": "DE89" + "370400440532013000" + _HEX[:4].upper(),
    "card number": "4111" + "-1111-1111-1111 exp 09/31 cvc " + "737" + _HEX[:4],
}


def core(secret: str) -> str:
    """The longest piece without blanks: what must not be found."""
    return max(secret.replace("=", " ").split(), key=len)
