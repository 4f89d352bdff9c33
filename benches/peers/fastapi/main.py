"""Five endpoints of the task API, as a team would write them with FastAPI and asyncpg, served by granian: pydantic
models in and out, a pool, statements that asyncpg prepares, one statement for a change and its record. No log of
requests, no metrics."""

import base64
import hashlib
import os
import time
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID, uuid4

import asyncpg
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

FOLDER = Path(os.environ["SQL"])
NAMES = ["reader", "writer", "one", "list", "search", "create", "update"]
SQL = {name: (FOLDER / f"{name}.sql").read_text() for name in NAMES}
WRITES_PER_MINUTE = int(os.environ.get("WRITES_PER_MINUTE", "6000"))

Status = Literal["open", "in_progress", "done"]
Priority = Literal["none", "low", "medium", "high", "urgent"]
Few = Annotated[list[UUID], Field(max_length=20)]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Description = Annotated[str, Field(max_length=10000)]


class Subtasks(BaseModel):
    total: int
    done: int


class Task(BaseModel):
    id: UUID
    project_id: UUID
    title: str
    description: str
    status: Status
    priority: Priority
    due_at: datetime | None
    rank: str
    assignee_ids: list[UUID]
    label_ids: list[UUID]
    parent_id: UUID | None
    subtasks: Subtasks
    version: int
    created_at: datetime
    updated_at: datetime


class Page(BaseModel):
    items: list[Task]
    next_cursor: str | None


class NewTask(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: UUID | None = None
    title: Title
    description: Description = ""
    status: Status = "open"
    priority: Priority = "none"
    due_at: datetime | None = None
    assignee_ids: Few = []
    label_ids: Few = []


class Change(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: Title | None = None
    description: Description | None = None
    status: Status | None = None
    priority: Priority | None = None
    due_at: datetime | None = None
    assignee_ids: Few | None = None
    label_ids: Few | None = None


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=8, max_size=8) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan, openapi_url=None)


async def caller(request: Request, authorization: Annotated[str, Header()] = "") -> asyncpg.Record:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise HTTPException(401, "log in")
    fingerprint = hashlib.sha256(token.encode()).digest()
    pool = request.app.state.pool
    writes = request.method != "GET"
    if writes:
        known = await pool.fetchrow(SQL["writer"], fingerprint, 60 / WRITES_PER_MINUTE, 60.0)
    else:
        known = await pool.fetchrow(SQL["reader"], fingerprint)
    if known is None:
        raise HTTPException(401, "log in")
    if ("tasks:write" if writes else "tasks:read") not in known["scopes"]:
        raise HTTPException(403, "the token may not do this")
    if known["level"] is None:
        raise HTTPException(429, "too many changes")
    return known


Caller = Annotated[asyncpg.Record, Depends(caller)]


def shaped(row: asyncpg.Record) -> dict:
    return {**row, "subtasks": {"total": row["parts_total"], "done": row["parts_done"]}}


@app.get("/api/v1/tasks/{id}")
async def one(id: UUID, caller: Caller, request: Request, response: Response) -> Task:
    row = await request.app.state.pool.fetchrow(SQL["one"], id, caller["user_id"])
    if row is None:
        raise HTTPException(404, "no such task")
    response.headers["etag"] = f'"{row["version"]}"'
    return shaped(row)


@app.get("/api/v1/projects/{id}/tasks")
async def list_tasks(
    id: UUID,
    caller: Caller,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: str | None = None,
    q: Annotated[str | None, Query(max_length=200)] = None,
) -> Page:
    after = UUID(base64.urlsafe_b64decode(cursor).decode()) if cursor else UUID(int=0)
    values = [id, caller["user_id"], after, limit + 1]
    pool = request.app.state.pool
    if q is None:
        rows = await pool.fetch(SQL["list"], *values)
    else:
        rows = await pool.fetch(SQL["search"], *values, q)
    items = [shaped(row) for row in rows[:limit]]
    more = len(rows) > limit
    following = base64.urlsafe_b64encode(str(items[-1]["id"]).encode()).decode() if more else None
    return {"items": items, "next_cursor": following}


@app.post("/api/v1/projects/{id}/tasks", status_code=201)
async def create(id: UUID, new: NewTask, caller: Caller, request: Request, response: Response) -> Task:
    row = await request.app.state.pool.fetchrow(
        SQL["create"],
        caller["user_id"],
        caller["id"],
        "",
        new.id or uuid4(),
        id,
        new.title,
        new.description,
        new.status,
        new.priority,
        new.due_at,
        f"m{time.time_ns() // 1_000_000:x}V",
        new.assignee_ids,
        new.label_ids,
    )
    if row is None:
        raise HTTPException(404, "no such project")
    response.headers["location"] = f"/api/v1/tasks/{row['id']}"
    response.headers["etag"] = f'"{row["version"]}"'
    return shaped(row)


@app.patch("/api/v1/tasks/{id}")
async def update(
    id: UUID,
    change: Change,
    caller: Caller,
    request: Request,
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
) -> Task:
    if if_match is None:
        raise HTTPException(428, "say which version")
    if not change.model_fields_set:
        raise HTTPException(422, "name at least one field to change")
    versions = None if if_match == "*" else [int(tag.strip().strip('"')) for tag in if_match.split(",")]
    row = await request.app.state.pool.fetchrow(
        SQL["update"],
        caller["user_id"],
        caller["id"],
        "",
        id,
        versions,
        change.title,
        change.description,
        change.status,
        change.priority,
        "due_at" in change.model_fields_set,
        change.due_at,
        change.assignee_ids,
        change.label_ids,
    )
    if row is None:
        raise HTTPException(412, "another version by now, or not there")
    response.headers["etag"] = f'"{row["version"]}"'
    return shaped(row)
