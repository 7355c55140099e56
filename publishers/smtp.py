"""Mail by SMTP: a post becomes one mail to one address or several, such as that of a mailing list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.headerregistry import Address, Group
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from typing import ClassVar, cast

from publishers.core import letter, mail
from publishers.core.errors import Rejected, Unsupported
from publishers.core.letter import ListTag
from publishers.core.limits import Limits
from publishers.core.post import Commit, Post, Prepared, Receipt
from publishers.core.publisher import Profile, Proof, ProofClass, Publisher, Setting

PORT = 587
MOST = 50
"""Addresses of one account; a list of more is a list server's business."""


class Smtp(Publisher):
    """One sender, and whom they write to."""

    label: ClassVar = "E-mail (SMTP)"
    limits: ClassVar = Limits(
        text=20_000, title=150, hashtags=0, media=1, media_bytes=2_000_000, alt=1000, warning=True, link_card=False
    )
    fields: ClassVar = (
        Setting(name="server", label="Mail server, such as smtp.example.org or smtp.example.org:465"),
        Setting(name="sender", label="Sender, such as The Paper <news@example.org>"),
        Setting(name="to", label="To whom: an address, or several by comma, who do not see each other"),
        Setting(name="user", label="User name", required=False),
        Setting(name="password", label="Password", secret=True, required=False),
        Setting(name="unsubscribe", label="Where one leaves the list: a web or mailto: address", required=False),
        Setting(name="security", label="tls, starttls, or none for a server on this network", required=False),
    )
    pasted: ClassVar = "server and password"
    team: ClassVar = True
    rehearsed: ClassVar = False
    reshares: ClassVar = None  # readers get an article in their mailbox once
    proof: ClassVar = Proof(kind=ProofClass.C)
    unverified: ClassVar = "run against a real server on loopback alone; how each client shows it"

    @classmethod
    def inside(cls, settings: Mapping[str, str]) -> bool:
        """A list that one can leave is read by the public."""
        return not settings.get("unsubscribe")

    @classmethod
    def apart(cls, post: Post, settings: Mapping[str, str]) -> tuple[str, ...]:
        del settings
        return (post.title, post.description)

    def connect(self) -> Profile:
        sender, _ = self._addressed()
        with mail.session(self.http, self._server()) as client:
            client.noop()
        return Profile(name=sender.display_name or sender.addr_spec)

    def prepare(self, post: Post, key: str) -> Prepared:
        del key
        for media in post.media:
            media.read()  # it goes with the mail; one that has changed is found out before anything is handed in
        return {}

    def create(self, post: Post, commit: Commit) -> Receipt:
        if commit.reply_to is not None:
            raise Unsupported("a mail answers no other here")
        sender, to = self._addressed()
        server, message = self._server(), self._written(post, commit, sender, to)
        wide = not all(a.username.isascii() for a in (sender, *to))
        content = message.as_bytes(policy=SMTPUTF8 if wide else SMTP)
        with mail.session(self.http, server) as client:
            if wide and not client.has_extn("smtputf8"):
                raise Rejected(f"{server.host} takes no addresses with letters beyond a to z")
            everybody = [a.addr_spec for a in to]
            mail.hand_in(client, self.http, server, sender=sender.addr_spec, to=everybody, mail=content, wide=wide)
        return Receipt(id=str(message["Message-ID"]), extra={"to": len(to)})

    def _written(self, post: Post, commit: Commit, sender: Address, to: tuple[Address, ...]) -> EmailMessage:
        """The mail, the same to the byte each time: its id, its instant and its boundaries are the step's."""
        picture = post.media[0] if post.media else None
        leave = ListTag(self.settings.get("unsubscribe", ""))
        written = letter.write(post, picture=f"cid:{commit.key}@{sender.domain}" if picture else "", leave=leave)
        message = EmailMessage()
        message["From"] = sender
        message["To"] = to[0] if len(to) == 1 else Group("undisclosed-recipients", ())
        message["Subject"] = written.subject
        message["Date"] = commit.at
        message["Message-ID"] = f"<{commit.key}@{sender.domain}>"
        if leave.address:
            message["List-Unsubscribe"] = f"<{leave.address}>"
        message.set_content(written.text, cte="quoted-printable")
        message.add_alternative(written.html, subtype="html", cte="quoted-printable")
        if picture:
            kind, _, subtype = picture.mime.partition("/")
            page = cast("EmailMessage", message.get_payload(1))
            page.add_related(
                picture.read(),
                maintype=kind,
                subtype=subtype,
                cid=f"<{commit.key}@{sender.domain}>",
                disposition="inline",
                filename=f"picture.{'png' if subtype == 'png' else 'jpg'}",
            )
            page.set_boundary(f"=_related_{commit.key}")
        if post.language and re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", post.language):
            message["Content-Language"] = post.language
        message.set_boundary(f"=_parts_{commit.key}")
        return message

    def _addressed(self) -> tuple[Address, tuple[Address, ...]]:
        """The sender and everybody they write to; raises Rejected for what is no address."""
        to = tuple(_address(one) for one in self.settings["to"].split(",") if one.strip())
        if not 0 < len(to) <= MOST:
            raise Rejected(f"'to' needs 1 to {MOST} addresses, and has {len(to)}")
        leave = self.settings.get("unsubscribe", "")
        if leave and not re.fullmatch(r"(https://|mailto:)[!-;=?-~]+", leave):
            raise Rejected("'unsubscribe' is an https:// or mailto: address")
        return _address(self.settings["sender"]), to

    def _server(self) -> mail.Server:
        host, _, port = self.settings["server"].rpartition(":") if ":" in self.settings["server"] else ("", "", "")
        host, number = host or self.settings["server"], int(port) if port.isdecimal() else PORT
        secure = self.settings.get("security", "") or ("tls" if number == 465 else "starttls")
        password = self.settings.get("password", "")
        if secure not in {"tls", "starttls", "none"}:
            raise Rejected("'security' is tls, starttls or none")
        if secure == "none" and password:
            raise Rejected("a password is never sent without TLS: leave it out, or 'security'")
        user = self.settings.get("user", "") or _address(self.settings["sender"]).addr_spec
        name = _address(self.settings["sender"]).domain
        return mail.Server(host, number, "" if secure == "none" else secure, name=name, user=user, password=password)


def _address(text: str) -> Address:
    """``The Paper <news@example.org>`` or the address alone; the domain as mail servers know it."""
    found = re.fullmatch(r"\s*(?:\"?(?P<name>[^<>\"@\r\n]*?)\"?\s*<(?P<in>[^<>\s]+)>|(?P<bare>[^<>\s]+))\s*", text)
    spec = (found["in"] or found["bare"]) if found else ""
    name = (found["name"] or "").strip() if found else ""
    user, _, domain = spec.rpartition("@")
    refusal = Rejected(f"{text.strip()!r} is no mail address such as news@example.org")
    if not user or not domain or re.search(r"[\x00-\x20\x7f(),:;\[\]\\]", spec):
        raise refusal
    try:
        return Address(display_name=name, username=user, domain=_ascii(domain))
    except (ValueError, IndexError, UnicodeError):
        raise refusal from None


def _ascii(domain: str) -> str:
    return domain if domain.isascii() else domain.encode("idna").decode()
