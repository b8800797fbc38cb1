#!/usr/bin/env python3
"""Hostile and odd requests by hand, against a running trial installation (see docs/API-CHECKS.md).

    hammer.py [--api http://127.0.0.1:8080] [--sim http://127.0.0.1:8090]

Every request has to be answered on its own connection, with an expected status, and every failure with a problem
document. Ends with 1 when one was not. Needs nothing but Python.
"""

import argparse
import json
import re
import socket
import sys
import uuid
from urllib.parse import quote, urlsplit

ARGS = argparse.ArgumentParser()
ARGS.add_argument("--api", default="http://127.0.0.1:8080")
ARGS.add_argument("--sim", default="http://127.0.0.1:8090")
ARGS = ARGS.parse_args()

seen, wrong = 0, []


class Broken(Exception):
    """The server closed the connection, or hung."""


def raw(data, base=None, wait=20):
    """Sends bytes and reads one answer (after any 100 Continue): status, headers, body."""
    at = urlsplit(base or ARGS.api)
    with socket.create_connection((at.hostname, at.port), timeout=wait) as link:
        try:
            for part in data if isinstance(data, list) else [data]:
                link.sendall(part)
        except OSError:
            pass  # Refused before everything was sent: the answer may still be there.
        stream = link.makefile("rb")
        try:
            while True:
                line = stream.readline()
                if not line:
                    raise Broken("closed without an answer")
                status = int(line.split()[1])
                headers = {}
                while (field := stream.readline().strip()):
                    name, _, value = field.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                if status != 100:
                    break
            if headers.get("transfer-encoding") == "chunked":
                body = b""
                while size := int(stream.readline(), 16):
                    body += stream.read(size)
                    stream.readline()
            elif status in (204, 304):
                body = b""
            else:
                body = stream.read(int(headers.get("content-length", 0)))
        except OSError as error:
            raise Broken(str(error)) from error
    return status, headers, body


def request(method, target, headers=(), body=None, token=None, base=None):
    """Bytes of a request; a header value None leaves a default header out."""
    fields = {"Host": "localhost", "Connection": "close"}
    if token:
        fields["Authorization"] = f"Bearer {token}"
    if body is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    fields |= dict(headers)
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items() if v is not None)
    return head.encode("utf-8") + b"\r\n" + (body or b"")


def call(method, target, headers=(), body=None, token=None, base=None):
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    status, fields, answer = raw(request(method, target, headers, body, token), base)
    return status, fields, (json.loads(answer) if answer else None)


def check(name, data, expected, code=None, bare=False):
    """One case: the answer's status has to be one of `expected`, and a failure a problem document. `bare`: what is no
    acceptable HTTP is refused by the framework before any of our code, so an empty answer will do."""
    global seen
    seen += 1
    expected = {expected} if isinstance(expected, int) else set(expected)
    try:
        status, headers, body = raw(data)
    except (Broken, socket.timeout, ValueError, IndexError) as error:
        wrong.append(f"{name}: {error}")
        return None
    complaint = None
    if status not in expected:
        complaint = f"answered {status} {body[:300]!r}, not {sorted(expected)}"
    elif status >= 400 and not (bare and not body):
        try:
            problem = json.loads(body)
            if not headers.get("content-type", "").startswith("application/problem+json"):
                complaint = f"{status} is no problem document"
            elif problem["status"] != status or not problem["code"] or not problem["request_id"]:
                complaint = f"the problem document does not fit: {problem}"
            elif code and problem["code"] != code:
                complaint = f"code {problem['code']}, not {code}"
            elif any(len(e["pointer"]) > 400 or len(e["detail"]) > 2000 for e in problem.get("errors", [])):
                complaint = "longer than the document says"
            elif len(problem.get("errors", [])) > 100:
                complaint = "more faults than the document says"
            elif status == 405 and "allow" not in headers:
                complaint = "405 without Allow"
            elif status in (429, 503) and "retry-after" not in headers:
                complaint = f"{status} without Retry-After"
        except (ValueError, KeyError) as error:
            complaint = f"{status} is no problem document: {error!r} {body[:200]!r}"
    if complaint:
        wrong.append(f"{name}: {complaint}")
    return status, headers, body


def log_in(user):
    code = call("GET", f"/sim/login-code?user={user}", base=ARGS.sim)[2]["code"]
    return call("POST", "/api/v1/auth/wechat-logins", body={"code": code})[2]["access_token"]


def key():
    return {"Idempotency-Key": str(uuid.uuid4())}


TOKEN = log_in("admin")
WORKER = log_in(f"hammer-{uuid.uuid4().hex[:8]}")
ROOT = call("GET", "/api/v1/organisations?kind=district")[2]["items"][0]["id"]
PROGRAMME = {"organisation_id": ROOT, "name": "n", "summary": "s", "kind": "training", "topic": "skills", "audience": "all"}
PROGRAMME_ID = call("POST", "/api/v1/programmes", key(), PROGRAMME, TOKEN)[2]["id"]
ACTIVITY = {
    "programme_id": PROGRAMME_ID, "organisation_id": ROOT, "title": "t", "summary": "s", "venue": "v", "address": "a",
    "capacity": 5, "signup_opens_at": "2030-01-01T00:00:00Z", "signup_closes_at": "2030-02-01T00:00:00Z",
    "sessions": [{"starts_at": "2030-03-01T14:00:00+08:00", "ends_at": "2030-03-01T17:00:00+08:00"}],
}
POSTS = "/api/v1/programmes"
MAKE = "/api/v1/activities"


def post(target, body, headers=(), token=TOKEN):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request("POST", target, {**key(), **dict(headers)}, body, token)


def malformed_bodies():
    good = json.dumps(PROGRAMME).encode()
    for name, body in {
        "nothing": b"", "space": b" ", "half": good[:-1], "two": good + good, "word": b"nonsense", "NaN": b'{"name":NaN}',
        "Infinity": b"[Infinity]", "1e400": b'{"name":1e400}', "single quotes": b"{'name':1}", "comment": b"/**/{}",
        "trailing comma": b'{"name":"a",}', "byte order mark": b"\xef\xbb\xbf" + good, "UTF-16": good.decode().encode("utf-16"),
        "bad UTF-8": good.replace(b'"n"', b'"\xff\xfe"'), "overlong UTF-8": good.replace(b'"n"', b'"\xc0\xaf"'),
        "raw surrogate": good.replace(b'"n"', b'"\xed\xa0\x80"'), "lone high": good.replace(b'"n"', b'"\\ud800"'),
        "lone low": good.replace(b'"n"', b'"\\udc00"'), "bad escape": good.replace(b'"n"', b'"\\x00"'),
        "raw control": good.replace(b'"n"', b'"\x00"'), "deep arrays": b"[" * 60_000, "deep objects": b'{"a":' * 12_000,
        "deep, closed": b"[" * 30_000 + b"]" * 30_000, "depth 129": b"[" * 129 + b"]" * 129,
        "leading zero": b'{"name":01}', "plus": b'{"name":+1}', "hex": b'{"name":0x1}',
        "duplicate key": good[:-1] + b',"name":"m"}', "duplicate key, escaped": good[:-1] + b',"n\\u0061me":"m"}',
        "100k digits": b'{"name":' + b"9" * 60_000 + b"}",
    }.items():
        check(f"body: {name}", post(POSTS, body), {400} if name != "nothing" else {400, 415}, None)
    for name, body in {"null": None, "true": True, "number": 1, "string": "x", "list": [], "empty": {}}.items():
        check(f"body: {name} for an object", post(POSTS, body), 422)
    for field in PROGRAMME:
        for value in [None, True, 0, -1, 1.5, 1e30, 2**63, -(2**63) - 1, 2**64, [], {}, "", "\x00", "a\x00b", "x" * 5000, "\u202e"]:
            check(f"programme.{field} = {str(value)[:20]!r}", post(POSTS, {**PROGRAMME, field: value}),
                  {201, 422} if value == "\u202e" or (field, value) == ("summary", "") else 422)
    check("unknown field", post(POSTS, {**PROGRAMME, "is_admin": True}), 422)
    check("unknown field with a long name", post(POSTS, {**PROGRAMME, "x" * 60_000: 1}), 422)
    check("unknown field with NUL and slashes", post(POSTS, {**PROGRAMME, "a\x00/~b": 1}), 422)
    check("5,000 unknown fields", post(POSTS, {**PROGRAMME, **{f"u{i}": 1 for i in range(5000)}}), 422)
    check("__proto__", post(POSTS, {**PROGRAMME, "__proto__": {"a": 1}}), 422)
    check("every character fits", post(POSTS, {**PROGRAMME, "name": "\U0001F600'\";--\\%_\u0001\u2028"}), 201)
    check("120 characters of four bytes", post(POSTS, {**PROGRAMME, "name": "\U00020000" * 120}), 201)
    check("121 characters", post(POSTS, {**PROGRAMME, "name": "\U00020000" * 121}), 422)


def numbers_and_times():
    for value, expected in {
        "1": 201, "1.0": 201, "1e3": 201, "1E+3": 201, "1000000": 201, "1.5": 422, "0": 422, "-0": 422, "-1": 422, "1000001": 422,
        "9223372036854775807": 422, "-9223372036854775808": 422, "9223372036854775808": 422, "1e18": 422, "1e300": 422,
        "1e-300": 422, "1e400": 400, '"5"': 422, "null": 422, "true": 422,
    }.items():
        body = json.dumps(ACTIVITY).replace('"capacity": 5', f'"capacity": {value}').encode()
        check(f"capacity {value}", post(MAKE, body), expected)
    for value in [
        "2025-02-30T00:00:00Z", "2025-13-01T00:00:00Z", "99999-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "+2025-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "0000-01-01T00:00:00+23:59",
        "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "262143-12-31T23:59:59Z", "2030-01-01T00:00:00",
        "2030-01-01", "2030-01-01 00:00:00Z", "2030-01-01T24:00:00Z", "2030-01-01T23:60:00Z", "2030-06-30T23:59:60Z",
        "2030-06-30T23:59:61Z", "2030-01-01T00:00:00+24:00", "2030-01-01T00:00:00+08", "2030-01-01T00:00:00.Z",
        "2030-01-01T00:00Z", "20300101T000000Z", "1e9", "now", "", "2030-01-01T00:00:00Z\n", "２０３０-01-01T00:00:00Z",
        0, 1893456000, None, [], {},
    ]:
        for field in ["signup_opens_at", "signup_closes_at"]:
            check(f"{field} = {value!r}", post(MAKE, {**ACTIVITY, field: value}), 422)
        for field in ["starts_at", "ends_at"]:
            session = {**ACTIVITY["sessions"][0], field: value}
            check(f"session.{field} = {value!r}", post(MAKE, {**ACTIVITY, "sessions": [session]}), 422)
    for value in ["1970-01-01T00:00:00Z", "2030-01-01T00:00:00.123456789Z", "2029-12-31T23:59:59-23:59", "2030-01-01T08:00:00+08:00"]:
        check(f"signup_opens_at = {value}", post(MAKE, {**ACTIVITY, "signup_opens_at": value}), 201)
    late = [{"starts_at": "2199-12-31T00:00:00Z", "ends_at": "2199-12-31T23:59:59Z"}]
    check("the last day", post(MAKE, {**ACTIVITY, "sessions": late}), 201)
    check("200 sessions", post(MAKE, {**ACTIVITY, "sessions": ACTIVITY["sessions"] * 200}), 201)
    check("201 sessions", post(MAKE, {**ACTIVITY, "sessions": ACTIVITY["sessions"] * 201}), 422)
    for day, expected in {
        "2025-03-01": 200, "2025-02-30": 400, "99999-01-01": 400, "9999-12-31": 400, "0000-01-01": 400, "0001-01-01": 400,
        "1969-12-31": 400, "1970-01-01": 200, "2199-12-31": 200, "2200-01-01": 400, "-2025-01-01": 400, "2025-3-1": 400, "": 400,
        "2025-03-01T00:00:00Z": 400, "today": 400,
    }.items():
        check(f"day={day}", request("GET", f"{MAKE}?day={day}"), expected)


def queries_and_paths():
    good = call("GET", MAKE + "?limit=1")[2]
    for query, expected in {
        "limit=1": 200, "limit=100": 200, "limit=0": 400, "limit=101": 400, "limit=-1": 400, "limit=1.0": 400, "limit=1e1": 400,
        "limit=": 400, "limit": 400, "limit=x": 400, "limit=9223372036854775808": 400, "limit=%31": 200, "limit=1&limit=1": 400,
        "limit=1&limit=2": 400, "limit[]=1": 400, "limit=%00": 400, "limit=1%00": 400, "q=%00": 400, "q=a%00b": 400, "q=%FF": 400,
        "q=%C0%AF": 400, "q=%ED%A0%80": 400, "q=%": 200, "q=%zz": 200, "q=%25": 200, "q=_%25%5C": 200, "q=%27%3B--": 200,
        "q=": 400, "q=" + "x" * 60: 200, "q=" + "x" * 61: 400, "q=" + quote("\U00020000" * 60): 200, "q=+": 200,
        "open_now=true": 200, "open_now=TRUE": 400, "open_now=1": 400, "open_now=": 400, "open_now": 400, "kind=training": 200,
        "kind=Training": 400, "kind=": 400, "street=org_0": 400, "street=" + ROOT: 200, "street=" + ROOT.upper(): 400,
        "cursor=": 400, "cursor=AAAA": 400, "cursor=%FF": 400, "cursor=" + "A" * 401: 400, "unknown=1": 400, "%FF=1": 400, "%00=1": 400,
        "=": 400, "&&&": 200, "": 200, "q=a;limit=5": 200, "kind=training&kind=care": 400, "cursor=" + good.get("next", ""): 200,
        "day=2025-01-01&cursor=" + good.get("next", ""): 400,
    }.items():
        check(f"query: {query[:60]}", request("GET", f"{MAKE}?{query}"), expected)
    for query in ["object=%00", "object=a%00", "object=%FF"]:
        check(f"audit query: {query}", request("GET", f"/api/v1/audit-entries?{query}", token=log_in("auditor")), 400)
    for path in [
        "/api/v1/activities/%00", "/api/v1/activities/%FF", "/api/v1/activities/act_%00", "/api/v1/activities/..%2f..%2fetc",
        "/api/v1/activities/act_81k5b8m3q2e9t8h6y1v7z4w0xn", "/api/v1/activities/" + "a" * 5000, "/api/v1/activities/",
        "/api/v1/activities//", "/api/v1/activities/a/b/c", "/api/v1", "/api/v2/activities", "/%00", "/%FF", "/%", "/..", "/../../etc/passwd",
        "/api/v1/organisations/%E2%82%28", "/docs/..%2f..%2fCargo.toml", "/docs/%00", "/docs/%FF",
        "//", "/API/V1/ACTIVITIES", "/api/v1/activities;a=1", "/api/v1/activities%3flimit=1",
    ]:
        check(f"path: {path[:50]}", request("GET", path), 404)
    for path in [
        "/api/v1/plans/abcd", "/api/v1/plans/%00", "/api/v1/plans/99999999999999999999", "/api/v1/plans/-999", "/api/v1/plans/+199",
        "/api/v1/plans/1899", "/api/v1/plans/9999", "/api/v1/plans/2025/targets/%00/lines", "/api/v1/plans/2025/targets/a%00b/lines",
        "/api/v1/plans/2025/targets/%FF/lines", "/api/v1/plans/2025/targets/99z/lines", "/api/v1/plans/2025/targets/07A/lines",
        "/api/v1/plans/%FF/targets/07a/lines", "/api/v1/plans/2025/targets/" + "x" * 5000 + "/lines",
    ]:
        check(f"path: {path[:50]}", request("GET", path, token=TOKEN), 404)
    for size, expected in {2_000: {400, 414}, 30_000: {400, 414, 431}, 200_000: {400, 414, 431}}.items():
        check(f"address of {size} bytes", request("GET", f"{MAKE}?q=" + "x" * size), expected, bare=True)


def methods_and_headers():
    for method in ["TRACE", "QUERY", "PATCH", "HEAD", "OPTIONS", "PUT", "DELETE", "PROPFIND", "LOCK", "FOO", "get", "M-SEARCH", "CONNECT"]:
        for path in [MAKE, "/api/v1/me", "/healthz", "/api/v1/organisations/" + ROOT]:
            if (method, path) == ("PUT", "/api/v1/me"):
                continue
            if method == "HEAD":
                # No body by definition: only the status and the header can be looked at.
                status, headers = head(path)
                if status != 405 or "allow" not in headers:
                    wrong.append(f"HEAD {path}: {status} {headers}")
                continue
            check(f"{method} {path}", request(method, path), 405, "method_not_allowed")
    body = json.dumps(PROGRAMME).encode()
    for name, headers, expected in [
        ("no content type", {"Content-Type": None}, 415), ("text/plain", {"Content-Type": "text/plain"}, 415),
        ("form", {"Content-Type": "application/x-www-form-urlencoded"}, 415), ("xml", {"Content-Type": "application/xml"}, 415),
        ("json with charset", {"Content-Type": "application/json; charset=utf-8"}, 201),
        ("upper case", {"Content-Type": "APPLICATION/JSON"}, 201), ("jsonp", {"Content-Type": "application/jsonp"}, 415),
        ("content type of rubbish", {"Content-Type": ";;;"}, 415), ("empty content type", {"Content-Type": ""}, 415),
        ("gzip", {"Content-Encoding": "gzip"}, 415), ("identity", {"Content-Encoding": "identity"}, 201),
        ("key too short", {"Idempotency-Key": "short"}, 400), ("key too long", {"Idempotency-Key": "k" * 101}, 400),
        ("key with space", {"Idempotency-Key": "12345678 9"}, 400), ("key with 中文", {"Idempotency-Key": "中文中文中文中文"}, 400),
        ("empty key", {"Idempotency-Key": ""}, 400), ("no key", {"Idempotency-Key": None}, 400),
        ("no token", {"Authorization": None}, 401), ("empty token", {"Authorization": "Bearer "}, 401),
        ("rubbish token", {"Authorization": "Bearer a.b.c"}, 401), ("basic", {"Authorization": "Basic YTpi"}, 401),
        ("token of 20 KB", {"Authorization": "Bearer " + "x" * 20_000}, 401),
        ("language of rubbish", {"Accept-Language": ";;;q=,,\"", "Idempotency-Key": None}, 400),
        ("accept nothing", {"Accept": "image/png"}, {201, 406}), ("accept-encoding of rubbish", {"Accept-Encoding": "\"\"gzip;q=9"}, 201),
        ("accept-encoding: nothing", {"Accept-Encoding": "identity;q=0"}, {201, 406}),
        ("request id of rubbish", {"X-Request-Id": "<script>"}, 201), ("trace of rubbish", {"Traceparent": "00-zz-zz-zz"}, 201),
        ("method override", {"X-HTTP-Method-Override": "DELETE"}, 201), ("expect", {"Expect": "100-continue"}, 201),
        ("expect of rubbish", {"Expect": "the unexpected"}, {201, 417}),
        ("100 headers", {f"X-H{i}": "v" for i in range(60)}, 201), ("header of 8 KB", {"X-Long": "v" * 8_000}, 201),
        ("header of 300 KB", {"X-Long": "v" * 300_000}, {400, 431}), ("3,000 headers", {f"X-H{i}": "v" for i in range(3_000)}, {400, 431}),
    ]:
        check(f"header: {name}", post(POSTS, body, headers), expected, bare=expected == {400, 431})
    twice = post(POSTS, body).replace(b"Content-Type: application/json", b"Content-Type: text/plain\r\nContent-Type: application/json")
    check("header: two content types", twice, {400, 415})
    twice = post(POSTS, body).replace(b"Authorization:", b"Authorization: Bearer x\r\nAuthorization:")
    check("header: two authorizations", twice, {400, 401})
    twice = re.sub(rb"Idempotency-Key: \S+", b"Idempotency-Key: 11111111\r\nIdempotency-Key: 22222222", post(POSTS, body))
    check("header: two keys", twice, 400)
    for tag, expected in {"": 412, "*": 412, "rubbish": 412, '"v1"': 412, '"v99999999999999999999-0123456789abcdef"': 412,
                          '"v-1-0123456789abcdef"': 412, None: 428}.items():
        data = request("PUT", "/api/v1/me", {"If-Match": tag}, b'{"name":"n"}', WORKER)
        check(f"If-Match: {tag}", data, expected)
    tag = call("GET", "/api/v1/me", token=WORKER)[1]["etag"]
    star = request("PUT", "/api/v1/me", {"If-Match": tag, "If-None-Match": "*"}, '{"name":"张三"}'.encode(), WORKER)
    check("If-None-Match: * with PUT", star, 200)
    tag = call("GET", "/api/v1/me", token=WORKER)[1]["etag"]
    for name in ["\x00", "a\x00b", " ", " a", "a ", "a\nb", "", "x" * 41]:
        body = json.dumps({"name": name}).encode()
        check(f"name {name!r}", request("PUT", "/api/v1/me", {"If-Match": tag}, body, WORKER), 422)
    for number in ["\x00" * 18, "000000000000000000", "11010519491231002\u0000", "9" * 18]:
        body = json.dumps({"name": "n", "id_number": number}).encode()
        check(f"ID number {number!r}", request("PUT", "/api/v1/me", {"If-Match": tag}, body, WORKER), 422)


def head(path):
    at = urlsplit(ARGS.api)
    global seen
    seen += 1
    with socket.create_connection((at.hostname, at.port), timeout=10) as link:
        link.sendall(request("HEAD", path))
        lines = link.makefile("rb").read().decode("latin-1").split("\r\n")
    return int(lines[0].split()[1]), {line.split(":")[0].lower(): line for line in lines[1:]}


def chunked(body, size=1000):
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


def bodies_on_the_wire():
    body = json.dumps(PROGRAMME).encode()
    big = json.dumps({**PROGRAMME, "name": "x" * (65 * 1024)}).encode()
    fits = body[:-1] + b" " * (64 * 1024 - len(body)) + b"}"
    te = {"Transfer-Encoding": "chunked", "Content-Length": None}
    check("64 KiB exactly", post(POSTS, fits), 201)
    check("64 KiB and one", post(POSTS, fits + b" "), 413, "body_too_large")
    check("65 KiB", post(POSTS, big), 413, "body_too_large")
    check("10 MiB", post(POSTS, b" " * (10 << 20)), 413)
    check("a body of 1 TB announced", post(POSTS, body, {"Content-Length": str(1 << 40)}), 413)
    check("chunked", request("POST", POSTS, {**key(), **te, "Content-Type": "application/json"}, None, TOKEN) + chunked(body), 201)
    check("chunked, a byte each", request("POST", POSTS, {**key(), **te, "Content-Type": "application/json"}, None, TOKEN) + chunked(body, 1), 201)
    check("chunked, 65 KiB", request("POST", POSTS, {**key(), **te, "Content-Type": "application/json"}, None, TOKEN) + chunked(big), 413)
    check("chunked, 1 MiB", request("POST", POSTS, {**key(), **te, "Content-Type": "application/json"}, None, TOKEN) + chunked(b" " * (1 << 20)), 413)
    broken = request("POST", POSTS, {**key(), **te, "Content-Type": "application/json"}, None, TOKEN) + b"zz\r\n{}\r\n0\r\n\r\n"
    check("chunk size of rubbish", broken, 400)
    check("negative length", post(POSTS, body, {"Content-Length": "-1"}), 400, bare=True)
    check("length of rubbish", post(POSTS, body, {"Content-Length": "abc"}), 400, bare=True)
    both = post(POSTS, body, {"Transfer-Encoding": "chunked"})
    check("length and chunked", both, 400, bare=True)
    check("no body at all", request("POST", POSTS, key(), None, TOKEN), 422)
    check("no body for an act", request("POST", "/api/v1/auth/logouts", {}, None, log_in("hammer-leaver")), 204)
    check("GET with a body", request("GET", MAKE, {}, b"{}"), 200)
    check("GET with a body of 1 MiB", request("GET", MAKE, {}, b" " * (1 << 20)), {200, 413})
    for line in [b"GET / HTTP/9.9\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
                 b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n", b"\r\n" * 50 + b"GET\r\n\r\n"]:
        check(f"wire: {line[:40]!r}", line + b"\r\n\r\n", range(400, 500), bare=True)


for part in [malformed_bodies, numbers_and_times, queries_and_paths, methods_and_headers, bodies_on_the_wire]:
    before = seen, len(wrong)
    part()
    print(f"{part.__name__}: {seen - before[0]} cases, {len(wrong) - before[1]} wrong")
check("the server lives", request("GET", "/readyz"), 200)
print("\n".join(wrong))
print(f"{seen} cases, {len(wrong)} wrong")
sys.exit(1 if wrong else 0)
