"""Records what a release asks of PostgreSQL, for `releases.rs`: record.py BINARY LOG > NAME.jsonl

BINARY is `task-tracker` of that release, DATABASE_URL an empty database of a server that was started with
`-c logging_collector=on -c log_destination=jsonlog -c log_statement=all`, and LOG is the .json file that it writes.
The service is asked for everything its API has once; each line is a statement, its parameters, and how many rows it found
when it was sent again, in the same order, to a database that this release had migrated.
"""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
import uuid

BINARY, LOG = sys.argv[1:]
URL = os.environ["DATABASE_URL"]
# What the engine of migrations looks into; every release reads these tables, and they differ.
BOOKS = re.compile("_migrations")
PASSWORD = "correct horse battery staple"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Person:
    """Somebody with a cookie or a token."""

    def __init__(self, port, headers=None):
        self.port, self.headers = port, headers or {}

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | self.headers
        if body is not None:
            headers["content-type"] = "application/json"
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        if answer.getheader("content-type") == "text/event-stream":
            return connection
        text = answer.read()
        assert answer.status < 300, (method, path, answer.status, text)
        if cookie := answer.getheader("set-cookie"):
            self.headers["cookie"] = cookie.split(";")[0]
        return json.loads(text) if text else None

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, body=None, **headers):
        return self.ask("POST", path, body, **headers)

    def patch(self, path, body):
        return self.ask("PATCH", path, body, if_match="*")

    def delete(self, path):
        return self.ask("DELETE", path, if_match="*")


def register(port, name):
    person = Person(port)
    account = {"email": f"{name}@example.com", "name": name, "password": PASSWORD}
    return person, person.post("/api/v1/accounts", account)["id"]


def everything(port):
    owner, owner_id = register(port, "ann")
    editor, editor_id = register(port, "bob")
    owner.patch("/api/v1/me", {"name": "Ann"})
    owner.get("/api/v1/me")
    elsewhere = Person(port)
    elsewhere.post("/api/v1/session", {"email": "ann@example.com", "password": PASSWORD})
    for session in owner.get("/api/v1/sessions")["items"]:
        if not session["current"]:
            owner.delete(f"/api/v1/sessions/{session['id']}")
    owner.ask("DELETE", "/api/v1/sessions")

    project = owner.post("/api/v1/projects", {"name": "garden"}, idempotency_key="p")["id"]
    owner.post("/api/v1/projects", {"name": "garden"}, idempotency_key="p")
    home = f"/api/v1/projects/{project}"
    owner.get("/api/v1/projects")
    owner.get(home)
    owner.patch(home, {"description": "behind the house"})
    listening = owner.get(f"{home}/events")
    unwanted = owner.post(f"{home}/invitations", {"role": "viewer"})["id"]
    invitation = owner.post(f"{home}/invitations", {"role": "editor"})
    owner.get(f"{home}/invitations")
    owner.delete(f"{home}/invitations/{unwanted}")
    editor.post("/api/v1/invitations/accept", {"token": invitation["token"]})
    owner.get(f"{home}/members")
    owner.patch(f"{home}/members/{editor_id}", {"role": "viewer"})
    owner.patch(f"{home}/members/{editor_id}", {"role": "editor"})

    label = owner.post(f"{home}/labels", {"name": "idea", "colour": "#0e8a16"})["id"]
    owner.get(f"{home}/labels")
    owner.patch(f"{home}/labels/{label}", {"name": "good idea"})
    token = owner.post("/api/v1/tokens", {"name": "script", "scopes": ["tasks:read", "tasks:write"], "expires_in_days": 30})
    owner.get("/api/v1/tokens")
    script = Person(port, {"authorization": f"Bearer {token['token']}"})
    new = {"title": "dig", "assignee_ids": [editor_id], "label_ids": [label], "due_at": "2026-12-24T18:00:00Z"}
    task = script.post(f"{home}/tasks", new)["id"]
    chosen = str(uuid.uuid4())
    other = script.post(f"{home}/tasks", {"id": chosen, "title": "water"})["id"]
    script.post(f"{home}/tasks", {"id": chosen, "title": "water"})
    script.get(f"/api/v1/tasks/{task}")
    script.patch(f"/api/v1/tasks/{task}", {"status": "in_progress", "title": "dig deep", "due_at": None})
    owner.post(f"/api/v1/tasks/{other}/move", {"before": task}, if_match="*")
    for query in ["limit=1", "sort=rank", "q=dig", "sort=rank&q=dig", f"status=open&assignee={editor_id}&label={label}"]:
        first = owner.get(f"{home}/tasks?{query}")
        if cursor := first["next_cursor"]:
            owner.get(f"{home}/tasks?{query}&cursor={cursor}")
    comment = editor.post(f"/api/v1/tasks/{task}/comments", {"body": "Is it still to be done?"})["id"]
    editor.get(f"/api/v1/tasks/{task}/comments")
    editor.patch(f"/api/v1/comments/{comment}", {"body": "It is."})
    editor.delete(f"/api/v1/comments/{comment}")
    owner.get(f"{home}/activity")
    time.sleep(1)
    listening.close()

    owner.get("/api/v1/me/export")
    owner.ask("DELETE", f"/api/v1/tokens/{token['id']}", if_match="*")
    owner.delete(f"/api/v1/tasks/{task}")
    owner.delete(f"{home}/labels/{label}")
    owner.delete(f"{home}/members/{editor_id}")
    owner.delete(home)
    owner.post("/api/v1/me/password", {"current": PASSWORD, "new": PASSWORD + "!"})
    owner.ask("DELETE", "/api/v1/session")
    editor.post("/api/v1/me/erasure", {"password": PASSWORD})
    return owner_id


def run(*arguments, url=URL):
    environment = os.environ | {"DATABASE_URL": url}
    subprocess.run([BINARY, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)


def psql(script, url=URL):
    arguments = ["psql", "--no-psqlrc", "--quiet", "--output=/dev/null", url]
    return subprocess.run(arguments, input=script, check=True, text=True, capture_output=True).stdout


def record():
    run("migrate")
    begin = os.path.getsize(LOG)
    port = free_port()
    environment = os.environ | {"HOST": "127.0.0.1", "PORT": str(port), "METRICS_PORT": "0", "DRAIN_SECONDS": "0"}
    service = subprocess.Popen([BINARY, "serve"], env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                Person(port).get("/readyz")
                break
            except (OSError, AssertionError):
                assert time.monotonic() < deadline, "not ready"
                time.sleep(0.05)
        owner = everything(port)
        # Retention has its first turn after a minute.
        time.sleep(62)
    finally:
        service.terminate()
        service.wait()
    run("export", owner)
    run("erase")
    return begin


def statements(begin):
    """What the log has: a statement, then its parameters in the detail of the same entry."""
    found = []
    with open(LOG) as log:
        log.seek(begin)
        for line in log:
            entry = json.loads(line)
            message = entry.get("message", "")
            if not (match := re.match(r"execute [^:]*: (.*)", message, re.S)):
                continue
            detail = entry.get("detail", "")
            values = re.findall(r"\$\d+ = (NULL|'(?:[^']|'')*')", detail.removeprefix("parameters: "))
            values = [None if value == "NULL" else value[1:-1].replace("''", "'") for value in values]
            sql = " ".join(match[1].split())
            # The background looks again and again at what does not change.
            if not found or (sql, values) != found[-1]:
                found.append((sql, values))
    return found


def literal(value):
    return "null" if value is None else "'" + value.replace("'", "''") + "'"


def outcomes(found):
    """How many rows each statement finds, or changes, on a fresh schema of the same release; or by what it is refused."""
    base, name = URL.rsplit("/", 1)
    psql(f'create database "{name}_again"')
    again = f"{base}/{name}_again"
    run("migrate", url=again)
    script = []
    for sql, values in found:
        arguments = "(" + ", ".join(map(literal, values)) + ")" if values else ""
        script += [f"prepare statement as {sql};", f"execute statement{arguments};", r"\echo :SQLSTATE :ROW_COUNT", "deallocate statement;"]
    lines = [line.split() for line in psql("\n".join(script), again).splitlines()]
    return [{"rows": int(count)} if state == "00000" else {"refused": state} for state, count in lines]


if __name__ == "__main__":
    found = [one for one in statements(record()) if not BOOKS.search(one[0])]
    for (sql, values), outcome in zip(found, outcomes(found), strict=True):
        # Which transactions there were is of one database only, and which throttles are full again is of one moment.
        outcome = {} if "xid8" in sql or "full_at < now()" in sql else outcome
        print(json.dumps({"sql": sql, "values": values} | outcome))
