// Five endpoints of the task API, as a team would write them with Fastify 5 and pg: schemas in and out, a pool, named
// (prepared) statements, one statement for a change and its record. No log of requests, no metrics.
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import Fastify from "fastify";
import pg from "pg";

pg.types.setTypeParser(pg.types.builtins.INT8, Number);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 8 });
const names = ["reader", "writer", "one", "list", "search", "create", "update"];
const sql = Object.fromEntries(names.map((name) => [name, readFileSync(`${process.env.SQL}/${name}.sql`, "utf8")]));
const query = async (name, values) => (await pool.query({ name, text: sql[name], values })).rows;

const WRITES_PER_MINUTE = Number(process.env.WRITES_PER_MINUTE ?? 6000);
const uuid = { type: "string", format: "uuid" };
const moment = { type: "string", format: "date-time" };
const maybeMoment = { type: ["string", "null"], format: "date-time" };
const few = { type: "array", items: uuid, maxItems: 20 };
const status = { type: "string", enum: ["open", "in_progress", "done"] };
const priority = { type: "string", enum: ["none", "low", "medium", "high", "urgent"] };
const title = { type: "string", minLength: 1, maxLength: 200 };
const description = { type: "string", maxLength: 10000 };

const task = {
  type: "object",
  properties: {
    id: { type: "string" },
    project_id: { type: "string" },
    title: { type: "string" },
    description: { type: "string" },
    status: { type: "string" },
    priority: { type: "string" },
    due_at: maybeMoment,
    rank: { type: "string" },
    assignee_ids: { type: "array", items: { type: "string" } },
    label_ids: { type: "array", items: { type: "string" } },
    parent_id: { type: ["string", "null"] },
    subtasks: { type: "object", properties: { total: { type: "integer" }, done: { type: "integer" } } },
    version: { type: "integer" },
    created_at: moment,
    updated_at: moment,
  },
};
const page = {
  type: "object",
  properties: { items: { type: "array", items: task }, next_cursor: { type: ["string", "null"] } },
};
const byId = { type: "object", properties: { id: uuid }, required: ["id"] };
const fields = { title, description, status, priority, due_at: maybeMoment, assignee_ids: few, label_ids: few };

const app = Fastify({ logger: false });
const refuse = (code, message) => Object.assign(new Error(message), { statusCode: code });

app.decorateRequest("caller", null);
app.addHook("onRequest", async (request) => {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer" || !token) throw refuse(401, "log in");
  const fingerprint = createHash("sha256").update(token).digest();
  const writes = request.method !== "GET";
  const [caller] = writes
    ? await query("writer", [fingerprint, 60 / WRITES_PER_MINUTE, 60])
    : await query("reader", [fingerprint]);
  if (!caller) throw refuse(401, "log in");
  if (!caller.scopes.includes(writes ? "tasks:write" : "tasks:read")) throw refuse(403, "the token may not do this");
  if (caller.level === null) throw refuse(429, "too many changes");
  request.caller = caller;
});

const shaped = (row) => ({ ...row, subtasks: { total: row.parts_total, done: row.parts_done } });
const answer = (reply, code, row) => reply.code(code).header("etag", `"${row.version}"`).send(shaped(row));

app.get("/api/v1/tasks/:id", { schema: { params: byId, response: { 200: task } } }, async (request, reply) => {
  const [row] = await query("one", [request.params.id, request.caller.user_id]);
  if (!row) throw refuse(404, "no such task");
  return answer(reply, 200, row);
});

app.get(
  "/api/v1/projects/:id/tasks",
  {
    schema: {
      params: byId,
      querystring: {
        type: "object",
        properties: {
          limit: { type: "integer", minimum: 1, maximum: 100, default: 50 },
          cursor: { type: "string" },
          q: { type: "string", maxLength: 200 },
        },
      },
      response: { 200: page },
    },
  },
  async (request) => {
    const { limit, cursor, q } = request.query;
    const after = cursor ? Buffer.from(cursor, "base64url").toString() : "00000000-0000-0000-0000-000000000000";
    const values = [request.params.id, request.caller.user_id, after, limit + 1];
    const rows = q === undefined ? await query("list", values) : await query("search", [...values, q]);
    const items = rows.slice(0, limit).map(shaped);
    const more = rows.length > limit;
    return { items, next_cursor: more ? Buffer.from(items.at(-1).id).toString("base64url") : null };
  },
);

app.post(
  "/api/v1/projects/:id/tasks",
  {
    schema: {
      params: byId,
      body: { type: "object", properties: { id: uuid, ...fields }, required: ["title"], additionalProperties: false },
      response: { 201: task },
    },
  },
  async (request, reply) => {
    const { caller, body } = request;
    const rank = `m${Date.now().toString(36).padStart(9, "0")}V`;
    const [row] = await query("create", [
      caller.user_id,
      caller.id,
      request.id,
      body.id ?? randomUUID(),
      request.params.id,
      body.title,
      body.description ?? "",
      body.status ?? "open",
      body.priority ?? "none",
      body.due_at ?? null,
      rank,
      body.assignee_ids ?? [],
      body.label_ids ?? [],
    ]);
    if (!row) throw refuse(404, "no such project");
    reply.header("location", `/api/v1/tasks/${row.id}`);
    return answer(reply, 201, row);
  },
);

app.patch(
  "/api/v1/tasks/:id",
  {
    schema: {
      params: byId,
      body: { type: "object", properties: fields, minProperties: 1, additionalProperties: false },
      response: { 200: task },
    },
  },
  async (request, reply) => {
    const { caller, body } = request;
    const match = request.headers["if-match"];
    if (match === undefined) throw refuse(428, "say which version");
    const versions = match === "*" ? null : match.split(",").map((tag) => Number(tag.trim().slice(1, -1)));
    const [row] = await query("update", [
      caller.user_id,
      caller.id,
      request.id,
      request.params.id,
      versions,
      body.title ?? null,
      body.description ?? null,
      body.status ?? null,
      body.priority ?? null,
      body.due_at !== undefined,
      body.due_at ?? null,
      body.assignee_ids ?? null,
      body.label_ids ?? null,
    ]);
    if (!row) throw refuse(412, "another version by now, or not there");
    return answer(reply, 200, row);
  },
);

await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
