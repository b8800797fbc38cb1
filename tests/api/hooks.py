"""What schemathesis cannot guess, for runs against a trial installation (see docs/API-CHECKS.md).

ROLE names the simulated WeChat user (admin, organiser, gate, planner, auditor, or anybody else for a plain worker).

- Logs in. A request that ends logins gets a user of its own, so that the run keeps its token.
- Gives well-formed requests what only a running system knows: ids that exist, the ETag that is current, a key that is new.
- Mends what JSON Schema cannot say: the order of times, the check digit of an ID number, evidence of what is reached.

Only values that are well-formed by themselves are replaced. So of a request that is meant to be wrong, the wrong part stays
and the rest is right: otherwise it would be refused for another reason than the one that is tried.
One request in eight names nothing that exists.
"""

import datetime
import itertools
import json
import os
import re
import urllib.error
import urllib.request
import uuid

import schemathesis
from hypothesis import strategies

ROLE = os.environ.get("ROLE", "admin")
API = os.environ.get("API", "http://127.0.0.1:8080")
SIM = os.environ.get("SIM", "http://127.0.0.1:8090")
TURNS = itertools.count()

# Of all instants and days that their formats allow, those that the patterns allow.
YEARS = {"min_value": datetime.datetime(1970, 1, 2), "max_value": datetime.datetime(2199, 12, 30)}
schemathesis.openapi.format("date-time", strategies.datetimes(**YEARS).map(lambda at: at.isoformat() + "Z"))
schemathesis.openapi.format("date", strategies.datetimes(**YEARS).map(lambda at: at.date().isoformat()))


def call(method, path, body=None, token=None, base=API, **headers):
    """Status, headers and JSON of an answer."""
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        headers |= {"Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {k.replace("_", "-"): v for k, v in headers.items()}, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            text = reply.read()
            return reply.status, reply.headers, json.loads(text) if text else None
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.headers, json.loads(refusal.read() or b"null")


def act(path, body, token):
    return call("POST", path, body, token, Idempotency_Key=str(uuid.uuid4()))


def nobody(name):
    """A user whom no request has touched yet."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


def log_in(user):
    code = call("GET", f"/sim/login-code?user={user}", base=SIM)[2]["code"]
    return call("POST", "/api/v1/auth/wechat-logins", {"code": code})[2]


@schemathesis.auth(refresh_interval=600, cache_by_key=lambda case, _: case.operation.path.endswith("/logouts"))
class Login:
    def get(self, case, _context):
        return log_in(f"{ROLE}-leaver" if case.operation.path.endswith("/logouts") else ROLE)["access_token"]

    def set(self, case, token, _context):
        case.headers["Authorization"] = f"Bearer {token}"


def instant(hours):
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return (now + datetime.timedelta(hours=hours)).isoformat()


class World:
    """The trial installation, with what the run needs added to it."""

    def __init__(self):
        self.admin = log_in("admin")["access_token"]
        self.own = log_in(ROLE)["access_token"]
        self.worker = log_in(nobody("worker"))["access_token"]
        self.person = log_in(nobody("person"))["person_id"]
        self.root = self.first("/api/v1/organisations?kind=district")
        self.street = self.first("/api/v1/organisations?kind=sub_district")
        self.programme = self.first("/api/v1/programmes")
        self.milestone = call("GET", "/api/v1/plans/2025/milestones", token=self.admin)[2]["items"][0]["id"]
        self.activity, self.session = self.running()
        act(f"/api/v1/activities/{self.activity}/signups", {}, self.worker)

    def first(self, path):
        return call("GET", path)[2]["items"][0]["id"]

    def draft(self):
        """A new activity whose session has begun, and that session."""
        made = act("/api/v1/activities", {
            "programme_id": self.programme, "organisation_id": self.root, "title": "t", "summary": "s", "venue": "v",
            "address": "a", "capacity": 1000, "signup_opens_at": instant(-2), "signup_closes_at": instant(1),
            "sessions": [{"starts_at": instant(-1), "ends_at": instant(2)}],
        }, self.admin)[2]
        return made["id"], made["sessions"][0]["id"]

    def running(self):
        activity, session = self.draft()
        act(f"/api/v1/managed-activities/{activity}/publications", {}, self.admin)
        return activity, session

    def signup(self):
        """A sign-up of the run's own user that can be cancelled."""
        activity, _ = self.running()
        return act(f"/api/v1/activities/{activity}/signups", {}, self.own)[2]["id"]

    def grant(self):
        person = log_in(nobody("granted"))["person_id"]
        body = {"person_id": person, "role": "auditor", "organisation_id": self.root}
        return act("/api/v1/staff-grants", body, self.admin)[2]["id"]

    def id_for(self, path):
        """An id that exists for `path`, and that the request may use up."""
        match path.removeprefix("/api/v1/").split("/"):
            case ["organisations", *_]:
                return self.root
            case ["activities", _] | ["me", "activities", _]:
                return self.activity
            case ["programmes", _]:
                return self.programme
            case ["activities", _, "signups"]:
                return self.running()[0]
            case ["managed-activities", _, "publications"]:
                return self.draft()[0]
            case ["managed-activities", _]:
                return self.activity
            case ["sessions", _, "finalisations"]:
                return self.running()[1]
            case ["sessions", *_]:
                return self.session
            case ["signups", *_]:
                return self.signup()
            case ["people", *_]:
                return self.person
            case ["milestones", *_]:
                return self.milestone
            case ["staff-grants", *_]:
                return self.grant()
        return None


WORLD = None
ID = re.compile("[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}")
KEY = re.compile("[A-Za-z0-9._:-]{8,100}")
ETAG = re.compile('"v[0-9]+-[0-9a-f]{16}"')
INSTANT = re.compile(r"(19[7-9]|20\d|21\d)\d-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def fits(pattern, value):
    return isinstance(value, str) and re.fullmatch(pattern, value)


def is_instant(value):
    try:
        return fits(INSTANT, value) and datetime.datetime.fromisoformat(re.sub(r"\.\d+", "", value))
    except ValueError:
        return False


def text(least, most):
    return re.compile("[^\0]{%d,%d}" % (least, most))


def mend(body, path):
    """Replaces well-formed values by acceptable ones."""
    known = {"organisation_id": WORLD.root, "programme_id": WORLD.programme, "street_id": WORLD.street,
             "workplace_id": WORLD.street, "person_id": WORLD.person}
    for field, value in known.items():
        if fits(ID, body.get(field)) and body[field][:4] == value[:4]:
            body[field] = value
    if fits("[a-z][a-z0-9_]{0,59}", body.get("topic")):
        body["topic"] = "skills"
    if fits(text(15, 18), body.get("id_number")):
        body["id_number"] = "11010519491231002X"
    sessions = body.get("sessions") if isinstance(body.get("sessions"), list) else []
    times = [(body, "signup_opens_at", -2), (body, "signup_closes_at", 1)]
    for session in (session for session in sessions if isinstance(session, dict)):
        times += [(session, "starts_at", -1), (session, "ends_at", 2)]
    for place, field, hours in times:
        if is_instant(place.get(field)):
            place[field] = instant(hours)
    if body.get("reached") is True and body.get("evidence", "") in (None, ""):
        body["evidence"] = "minutes"
    if path.endswith("/staff-grants") and body.get("person_id") == WORLD.person:
        body["person_id"] = log_in(nobody("granted"))["person_id"]
    # What only WeChat or another user can give.
    if path.endswith("/checkins") and fits(text(1, 100), body.get("pass")):
        body["pass"] = call("GET", "/api/v1/me/pass", token=WORLD.worker)[2]["code"]
    if path.endswith("/wechat-logins") and fits(text(1, 200), body.get("code")):
        body["code"] = call("GET", f"/sim/login-code?user={nobody('user')}", base=SIM)[2]["code"]
    if path.endswith("/phones") and fits(text(1, 200), body.get("code")):
        body["code"] = call("GET", f"/sim/phone-code?user={nobody('user')}", base=SIM)[2]["code"]
    if path.endswith("/refreshes") and fits(text(20, 100), body.get("refresh_token")):
        body["refresh_token"] = log_in(nobody("user"))["refresh_token"]


@schemathesis.hook
def before_call(_context, case, _kwargs):
    global WORLD
    WORLD = WORLD or World()
    path, named = case.operation.path, case.path_parameters
    if fits(ID, named.get("id")) and next(TURNS) % 8 < 7:
        known = WORLD.id_for(path)
        named["id"] = known if known and known[:4] == named["id"][:4] else named["id"]
    if fits("[1-9][0-9]{3}", str(named.get("year"))):
        named["year"] = 2025
    if fits("[0-9]{2}[a-z]", named.get("code")):
        named["code"] = "07a"
    # Cursors are opaque: nobody can make one up.
    if fits("[A-Za-z0-9_-]{1,400}", case.query.get("cursor")):
        del case.query["cursor"]
    if fits(KEY, case.headers.get("Idempotency-Key")):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if fits(ETAG, case.headers.get("If-Match")) and fits(ID, named.get("id", WORLD.root)):
        read = call("GET", path.format(**named), token=WORLD.own)[1]
        case.headers["If-Match"] = read.get("ETag") or case.headers["If-Match"]
    if isinstance(case.body, dict):
        mend(case.body, path)
