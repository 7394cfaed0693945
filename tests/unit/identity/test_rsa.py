"""Real encryptions in every padding, and failures that cannot be told apart."""

import base64
import os

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from stratal.identity.rsa import RsaKeyPair, Undecryptable

PASSWORD = "correct horse, 正确的马"


def oaep(algorithm: hashes.HashAlgorithm) -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(algorithm), algorithm=algorithm, label=None)


OAEP_SHA1, OAEP_SHA256, V15 = oaep(hashes.SHA1()), oaep(hashes.SHA256()), padding.PKCS1v15()
PADDINGS = pytest.mark.parametrize("using", [OAEP_SHA1, OAEP_SHA256, V15], ids=["oaep1", "oaep256", "v15"])


@pytest.fixture(scope="module")
def pair() -> RsaKeyPair:
    return RsaKeyPair.mint()


def public_key(pair: RsaKeyPair) -> rsa.RSAPublicKey:
    key = serialization.load_pem_public_key(pair.public_pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def encrypt(pair: RsaKeyPair, clear: bytes, using: padding.AsymmetricPadding) -> bytes:
    return public_key(pair).encrypt(clear, using)


def text(ciphertext: bytes) -> str:
    return base64.b64encode(ciphertext).decode()


def flipped(ciphertext: bytes) -> bytes:
    return ciphertext[:100] + bytes([ciphertext[100] ^ 1]) + ciphertext[101:]


@PADDINGS
def test_a_password_in_any_of_the_paddings_is_read(
    pair: RsaKeyPair, using: padding.AsymmetricPadding
) -> None:
    assert pair.decrypt(text(encrypt(pair, PASSWORD.encode(), using))) == PASSWORD


@PADDINGS
def test_an_empty_password_is_read_as_empty(pair: RsaKeyPair, using: padding.AsymmetricPadding) -> None:
    assert pair.decrypt(text(encrypt(pair, b"", using))) == ""


def read(pair: RsaKeyPair, ciphertext: bytes) -> str | None:
    """The text, or None where there is none. What v1.5 makes up happens to be text once in some 100 times."""
    try:
        return pair.decrypt(text(ciphertext))
    except Undecryptable:
        return None


@PADDINGS
def test_a_tampered_ciphertext_and_one_for_another_key_never_yield_the_password(
    pair: RsaKeyPair, using: padding.AsymmetricPadding
) -> None:
    ciphertext = encrypt(pair, PASSWORD.encode(), using)
    assert read(pair, ciphertext) == PASSWORD
    assert read(pair, flipped(ciphertext)) != PASSWORD
    assert read(RsaKeyPair.mint(), ciphertext) != PASSWORD


def test_the_openssl_in_use_rejects_bad_v15_padding_implicitly(pair: RsaKeyPair) -> None:
    # Straight at the library, without the mapping of errors in between: were implicit rejection off, each
    # of these would raise, and the answer, or its time, would be Bleichenbacher's oracle.
    key = serialization.load_pem_private_key(pair.private_pem.encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    good = encrypt(pair, PASSWORD.encode(), V15)
    for bad in (flipped(good), bytes(255) + b"\x01", b"\0" + os.urandom(255)):
        made_up = key.decrypt(bad, V15)
        assert made_up != PASSWORD.encode()
        # The same each time: random bytes would tell a second try that the padding was bad.
        assert key.decrypt(bad, V15) == made_up


def test_every_failure_is_the_same_error(pair: RsaKeyPair) -> None:
    modulus = public_key(pair).public_numbers().n
    failures = {
        "empty": "",
        "no base64": "§§§",
        "url-safe base64": "-_" * 172,
        "base64 with other characters": "!" + text(encrypt(pair, b"x", OAEP_SHA256)),
        "not below the modulus": text(modulus.to_bytes(256, "big")),
        "not UTF-8 in OAEP with SHA-1": text(encrypt(pair, b"\xff\xfe", OAEP_SHA1)),
        "not UTF-8 in OAEP with SHA-256": text(encrypt(pair, b"\xff\xfe", OAEP_SHA256)),
        "not UTF-8 in PKCS#1 v1.5": text(encrypt(pair, b"\xff\xfe", V15)),
        "surrogates in UTF-8": text(encrypt(pair, b"\xed\xa0\x80", V15)),
    }
    shown: set[str] = set()
    for reason, encrypted in failures.items():
        with pytest.raises(Undecryptable) as caught:
            pytest.fail(f"{reason} gave {pair.decrypt(encrypted)!r}")
        assert caught.value.__suppress_context__ or caught.value.__context__ is None, reason
        shown.add(repr(caught.value))
    assert shown == {"Undecryptable()"}


@pytest.mark.parametrize("size", [0, 128, 251, 257, 512])
def test_a_ciphertext_of_a_wrong_length_is_not_even_tried(
    pair: RsaKeyPair, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(RsaKeyPair, "_attempt", lambda *_: b"made up")
    assert read(pair, bytes(256)) == "made up"
    assert read(pair, bytes(size)) is None


def test_all_paddings_are_tried_whichever_fits(pair: RsaKeyPair, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    real_attempt = RsaKeyPair._attempt  # pyright: ignore[reportPrivateUsage]

    def watched(self: RsaKeyPair, ciphertext: bytes, using: padding.AsymmetricPadding) -> bytes | None:
        tried.append(using.name)
        return real_attempt(self, ciphertext, using)

    monkeypatch.setattr(RsaKeyPair, "_attempt", watched)
    for using in (OAEP_SHA256, OAEP_SHA1, V15):
        pair.decrypt(text(encrypt(pair, b"x", using)))
    assert len(tried) == 9


def test_a_ciphertext_whose_leading_zero_bytes_were_dropped_is_read(pair: RsaKeyPair) -> None:
    # What JSEncrypt before 3.0.3 sends once in 256 times.
    ciphertext = b"\x01"
    while ciphertext[0] != 0:
        ciphertext = encrypt(pair, PASSWORD.encode(), V15)
    assert pair.decrypt(text(ciphertext.lstrip(b"\0"))) == PASSWORD


def test_line_breaks_in_the_base64_do_not_matter(pair: RsaKeyPair) -> None:
    ciphertext = encrypt(pair, PASSWORD.encode(), OAEP_SHA1)
    assert pair.decrypt(base64.encodebytes(ciphertext).decode().replace("\n", "\r\n")) == PASSWORD


def test_the_public_half_is_a_2048_bit_subject_public_key_info_in_pem(pair: RsaKeyPair) -> None:
    assert pair.public_pem.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert public_key(pair).key_size == 2048
    assert public_key(pair).public_numbers().e == 65537


def test_a_pair_read_back_from_its_private_pem_reads_what_was_encrypted_before(pair: RsaKeyPair) -> None:
    encrypted = text(encrypt(pair, PASSWORD.encode(), V15))
    again = RsaKeyPair.from_private_pem(pair.private_pem)
    assert again.decrypt(encrypted) == PASSWORD
    assert again.public_pem == pair.public_pem


def test_each_minted_pair_is_another(pair: RsaKeyPair) -> None:
    assert RsaKeyPair.mint().public_pem != pair.public_pem


def test_a_private_pem_of_another_algorithm_is_refused() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(TypeError):
        RsaKeyPair.from_private_pem(pem.decode())


def test_the_private_half_does_not_show_in_the_representation(pair: RsaKeyPair) -> None:
    assert "PRIVATE" not in repr(pair)
    assert "PRIVATE" not in str(vars(pair))
