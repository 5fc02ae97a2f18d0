"""Who a request comes from: Basic, or a token (data-api 2.1)."""

from __future__ import annotations

from arangorep.auth.credentials import parse_basic, parse_bearer
from arangorep.auth.tokens import Tokens
from arangorep.clock import Clock
from arangorep.data.users import UserDirectory
from arangorep.limits import SESSION_TTL_S, TOKEN_RENEWED_S
from arangorep.values.account import ROOT, Account, Identity, password_hash

REMEMBERED_MAX = 4096
SUPERUSER = Identity(ROOT)
NOBODY = Identity("", is_anonymous=True)


class Authenticator:
    """Checks headers against the accounts; with authentication off everybody is a superuser."""

    def __init__(
        self, users: UserDirectory, tokens: Tokens, clock: Clock, *, enabled: bool
    ) -> None:
        self.enabled = enabled
        self._users, self._tokens, self._clock = users, tokens, clock
        self._remembered: dict[str, Identity] = {}
        """Headers that were right, until any account changes."""
        self._version = users.version

    def identify(self, authorization: str) -> Identity:
        """Who a header stands for; `NOBODY` when it is missing, wrong or expired."""
        if not self.enabled:
            return SUPERUSER
        if not authorization:
            return NOBODY
        self._users.refresh()
        if self._users.version != self._version:
            self._remembered.clear()
            self._version = self._users.version
        known = self._remembered.get(authorization)
        if known is not None:
            expires_s = known.token_expires_s
            if expires_s is None or expires_s > self._now_s():
                return known
            del self._remembered[authorization]
        identity = self._check(authorization)
        if not identity.is_anonymous:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[authorization] = identity
        return identity

    def login(self, user: str, password: str) -> Account | None:
        """The active account with this password."""
        account = self._users.find(user)
        if account is None:
            password_hash("", password)  # the time must not tell which users exist
            return None
        return account if account.matches(password) and account.active else None

    def issue_token(self, user: str) -> str:
        """A token for `/_open/auth`."""
        return self._tokens.issue(user, int(self._now_s()), SESSION_TTL_S)

    def renew_token(self, identity: Identity) -> str | None:
        """A new token when the one that a user came with ends soon."""
        expires_s = identity.token_expires_s
        if expires_s is None or expires_s - self._now_s() > TOKEN_RENEWED_S:
            return None
        return self.issue_token(identity.user)

    def _check(self, authorization: str) -> Identity:
        credentials = parse_basic(authorization)
        if credentials is not None:
            account = self.login(*credentials)
            return NOBODY if account is None else Identity(account.name, account)
        text = parse_bearer(authorization)
        token = None if text is None else self._tokens.read(text, self._now_s())
        if token is None:
            return NOBODY
        if token.user is None:
            return Identity(ROOT, None, token.allowed_paths, token_expires_s=token.expires_s)
        account = self._users.find(token.user)
        if account is None or not account.active:
            return NOBODY
        return Identity(account.name, account, token.allowed_paths, token_expires_s=token.expires_s)

    def _now_s(self) -> float:
        return self._clock.wall_us() / 1_000_000
