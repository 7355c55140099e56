"""The bridge to Apprise: off unless switched on, not imported before it is used, and honest about what it cannot know."""

from __future__ import annotations

import subprocess
import sys
import types
import warnings

import httpx
import pytest

import publishers
from publishers.core.errors import Rejected, Unavailable, Unconfirmed, Unsupported
from publishers.core.http import Http
from publishers.core.post import Commit, Post, Receipt
from tests.contract import fixture
from tests.test_mail import AT, KEY
from worker.errors import HandbillError
from worker.model import Account
from worker.pipeline.accounts import Accounts
from worker.settings import Settings


class Library(types.ModuleType):
    """What of Apprise's interface is used; ``end`` is what ``notify`` comes to."""

    def __init__(self):
        super().__init__("apprise")
        self.said, self.end = [], True
        library = self

        class Service:
            def __init__(self, address):
                self.service_name, self.body_maxlen = address.partition(":")[0].title(), 500 + len(address)

        class Apprise:
            def __init__(self, *, asset):
                self.services, self.asset = [], asset

            def __iter__(self):
                return iter(self.services)

            def add(self, address):
                if "://" not in address:
                    return False
                self.services.append(Service(address))
                return True

            def notify(self, *, body, title):
                library.said.append((len(self.services), title, body))
                if isinstance(library.end, Exception):
                    raise library.end
                return library.end

        self.Apprise, self.AppriseAsset = Apprise, lambda **given: given


@pytest.fixture
def library(monkeypatch):
    made = Library()
    monkeypatch.setitem(sys.modules, "apprise", made)
    return made


def adapter(addresses="json://localhost/a-secret-path", **http):
    transport = httpx.MockTransport(lambda _: pytest.fail("it speaks by itself"))
    return publishers.load("apprise")({"addresses": addresses}, Http(transport=transport, **http))


def commit(**more):
    return Commit(key=KEY, at=AT, **more)


def test_a_message_goes_to_every_address_with_its_link(library):
    told = adapter("json://one\nxml://two")
    post = Post(text="The bridge is open.", title="Bridge", link="https://paper.example/b")
    assert told.create(post, commit()) == Receipt(id=f"apprise-{KEY[:20]}")
    assert library.said == [(2, "Bridge", "The bridge is open.\n\nhttps://paper.example/b")]


def test_connecting_sends_nothing_and_takes_the_narrowest_limit(library):
    profile = adapter("json://one xml://twotwo").connect()
    assert (profile.name, profile.limits) == ("Json and Xml", {"text": 500 + len("json://one")})
    assert library.said == []


@pytest.mark.parametrize("end", [False, None, RuntimeError("as seen at json://localhost/a-secret-path")])
def test_whatever_did_not_go_well_was_perhaps_sent(library, end):
    library.end = end
    with pytest.raises(Unconfirmed) as caught:
        adapter().create(Post(text="Hello"), commit())
    assert "a-secret-path" not in str(caught.value)
    assert len(library.said) == 1


def test_what_it_cannot_express_is_refused_before_anything_is_sent(library):
    with pytest.raises(Unsupported):
        adapter().create(Post(text="Hello", warning="Flood"), commit())
    with pytest.raises(Unsupported):
        adapter().create(Post(text="Hello"), commit(reply_to=Receipt(id="1")))
    for addresses in ("", "nonsense"):
        with pytest.raises(Rejected):
            adapter(addresses).create(Post(text="Hello"), commit())
    late = adapter()
    late.http.expire(0)
    with pytest.raises(Unavailable):
        late.create(Post(text="Hello"), commit())
    assert library.said == []


def test_where_it_is_not_installed_a_post_waits_and_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(Unavailable, match="pip install 'handbill\\[apprise\\]'"):
        adapter().create(Post(text="Hello"), commit())


def test_it_is_off_unless_it_is_switched_on(tmp_path):
    account = Account(id="main.apprise", platform="apprise", name="apprise")
    off = Accounts(None, Settings(data_dir=tmp_path))
    with pytest.raises(HandbillError, match="Apprise is switched off: it has a network stack of its own"):
        off.adapter(account, fixture("apprise")["settings"])
    on = Accounts(None, Settings(data_dir=tmp_path, unguarded="apprise"))
    assert on.adapter(account, fixture("apprise")["settings"]).label == "Apprise"


def test_the_library_is_not_imported_by_whoever_does_not_use_it():
    code = "import sys, publishers; publishers.load('apprise'); import worker.tasks; print('apprise' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "False"


def test_the_real_library_takes_what_we_tell_it():
    warnings.simplefilter("ignore", DeprecationWarning)  # its own
    import apprise  # noqa: PLC0415 - under the filter above

    told = adapter("json://localhost:9/a-secret-path")
    assert told.connect().name
    assert isinstance(told._opened(), apprise.Apprise)
