//! Every operation of the API × everybody who might try it: each role in the project, somebody of another project, nobody,
//! and API tokens of each scope. The rows are checked against the API's own description, so that an operation without a
//! row fails, and so does a row without an operation.

use axum::body::Body;
use hyper::{HeaderMap, Method, StatusCode, http::request::Builder};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::{
    api::Api,
    instance::{Instance, start},
    tenant::{self, Tenant},
};

/// What an operation asks of credentials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Needs {
    Nothing,
    Session,
    Scope(&'static str),
}
use Needs::{Nothing, Scope, Session};

/// What is tried, and what comes of it.
pub(crate) struct Row {
    pub(crate) operation: &'static str,
    needs: Needs,
    /// Of owner, editor, viewer and a stranger.
    pub(crate) answers: [u16; 4],
    pub(crate) body: &'static str,
}

/// Nothing here asks the bucket, so it need not be there.
pub(crate) const EVERYTHING: &str =
    "--webhook-allow 127.0.0.1 --attachments-bucket files --s3-endpoint http://127.0.0.1:9";

const SCOPES: [&str; 4] = ["projects:read", "projects:write", "tasks:read", "tasks:write"];

/// Method and path, what it asks of credentials (nothing, a session, or that scope of a token), what owner, editor, viewer
/// and a stranger are answered, and the body. Every id in a path is of the owner: the session and the token too.
const ROWS: &str = r##"
POST /api/v1/accounts                                      | nothing        | 201 201 201 201 | {"email":"{new}@example.com","name":"New","password":"correct horse battery"}
POST /api/v1/session                                       | nothing        | 401 401 401 401 | {"email":"nobody@example.com","password":"correct horse battery"}
POST /api/v1/accounts/restore                              | nothing        | 401 401 401 401 | {"email":"{new}@example.com","password":"correct horse battery"}
DELETE /api/v1/session                                     | session        | 204 204 204 204 |
GET /api/v1/me                                             | session        | 200 200 200 200 |
PATCH /api/v1/me                                           | session        | 200 200 200 200 | {"name":"Other"}
POST /api/v1/me/password                                   | session        | 403 403 403 403 | {"current":"wrong horse","new":"correct horse battery"}
POST /api/v1/password-reset                                | nothing        | 403 403 403 403 | {"secret":"ttr_nothing","new":"correct horse battery"}
GET /api/v1/sessions                                       | session        | 200 200 200 200 |
DELETE /api/v1/sessions                                    | session        | 204 204 204 204 |
DELETE /api/v1/sessions/{session}                          | session        | 204 404 404 404 |
GET /api/v1/tokens                                         | session        | 200 200 200 200 |
POST /api/v1/tokens                                        | session        | 201 201 201 201 | {"name":"ci","scopes":["tasks:read"],"expires_in_days":1}
DELETE /api/v1/tokens/{token}                              | session        | 204 404 404 404 |
GET /api/v1/projects                                       | projects:read  | 200 200 200 200 |
POST /api/v1/projects                                      | projects:write | 201 201 201 201 | {"name":"garden"}
GET /api/v1/projects/{project}                             | projects:read  | 200 200 200 404 |
GET /api/v1/projects/{project}/export                      | tasks:read     | 200 200 200 404 |
POST /api/v1/projects/import                               | projects:write | 201 201 201 201 | {"format":"task-tracker.project/1","project":{"name":"garden"},"tasks":[]}
GET /api/v1/projects/{project}/tasks.csv                   | tasks:read     | 200 200 200 404 |
POST /api/v1/projects/{project}/tasks.csv                  | tasks:write    | 201 201 403 404 | title
PATCH /api/v1/projects/{project}                           | projects:write | 200 403 403 404 | {"name":"orchard"}
DELETE /api/v1/projects/{project}                          | projects:write | 204 403 403 404 |
GET /api/v1/projects/{project}/members                     | projects:read  | 200 200 200 404 |
PATCH /api/v1/projects/{project}/members/{member}          | projects:write | 200 403 403 404 | {"role":"editor"}
DELETE /api/v1/projects/{project}/members/{member}         | projects:write | 204 403 403 404 |
GET /api/v1/projects/{project}/invitations                 | projects:read  | 200 403 403 404 |
POST /api/v1/projects/{project}/invitations                | projects:write | 201 403 403 404 | {"role":"viewer"}
DELETE /api/v1/projects/{project}/invitations/{invitation} | projects:write | 204 403 403 404 |
POST /api/v1/invitations/accept                            | projects:write | 409 409 409 200 | {"token":"{secret}"}
GET /api/v1/projects/{project}/tasks                       | tasks:read     | 200 200 200 404 |
POST /api/v1/projects/{project}/tasks                      | tasks:write    | 201 201 403 404 | {"title":"dig"}
GET /api/v1/tasks/{task}                                   | tasks:read     | 200 200 200 404 |
PATCH /api/v1/tasks/{task}                                 | tasks:write    | 200 200 403 404 | {"title":"rake"}
DELETE /api/v1/tasks/{task}                                | tasks:write    | 204 204 403 404 |
POST /api/v1/tasks/{task}/move                             | tasks:write    | 200 200 403 404 | {}
GET /api/v1/projects/{project}/labels                      | tasks:read     | 200 200 200 404 |
POST /api/v1/projects/{project}/labels                     | tasks:write    | 201 201 403 404 | {"name":"red","colour":"#ff0000"}
GET /api/v1/projects/{project}/labels/{label}              | tasks:read     | 200 200 200 404 |
PATCH /api/v1/projects/{project}/labels/{label}            | tasks:write    | 200 200 403 404 | {"name":"later"}
DELETE /api/v1/projects/{project}/labels/{label}           | tasks:write    | 204 204 403 404 |
GET /api/v1/tasks/{task}/comments                          | tasks:read     | 200 200 200 404 |
POST /api/v1/tasks/{task}/comments                         | tasks:write    | 201 201 403 404 | {"body":"Where?"}
GET /api/v1/comments/{comment}                             | tasks:read     | 200 200 200 404 |
PATCH /api/v1/comments/{comment}                           | tasks:write    | 200 403 403 404 | {"body":"There."}
DELETE /api/v1/comments/{comment}                          | tasks:write    | 204 403 403 404 |
POST /api/v1/projects/{project}/tasks/bulk                 | tasks:write    | 200 200 403 404 | {"tasks":[{"id":"{task}"}],"change":{"status":"done"}}
GET /api/v1/projects/{project}/filters                     | tasks:read     | 200 200 200 404 |
POST /api/v1/projects/{project}/filters                    | tasks:write    | 201 201 403 404 | {"name":"Ours","audience":"project","filter":{"status":"open"}}
GET /api/v1/projects/{project}/filters/{filter}            | tasks:read     | 200 200 200 404 |
PATCH /api/v1/projects/{project}/filters/{filter}          | tasks:write    | 200 200 403 404 | {"name":"Theirs"}
DELETE /api/v1/projects/{project}/filters/{filter}         | tasks:write    | 204 204 403 404 |
GET /api/v1/tasks/{task}/reminders                         | tasks:read     | 200 200 200 404 |
POST /api/v1/tasks/{task}/reminders                        | tasks:write    | 201 201 201 404 | {"minutes_before_due":30}
DELETE /api/v1/reminders/{reminder}                        | tasks:write    | 204 404 404 404 |
GET /api/v1/notifications                                  | tasks:read     | 200 200 200 200 |
POST /api/v1/notifications/read                            | tasks:write    | 200 404 404 404 | {"up_to":"{notification}"}
PUT /api/v1/notifications/{notification}/read              | tasks:write    | 200 404 404 404 |
DELETE /api/v1/notifications/{notification}/read           | tasks:write    | 200 404 404 404 |
GET /api/v1/projects/{project}/activity                    | tasks:read     | 200 200 200 404 |
GET /api/v1/projects/{project}/events                      | tasks:read     | 200 200 200 404 |
GET /api/v1/tasks/{task}/attachments                       | tasks:read     | 200 200 200 404 |
POST /api/v1/tasks/{task}/attachments                      | tasks:write    | 201 201 403 404 | {"name":"plan.txt","content_type":"text/plain","size":5}
GET /api/v1/attachments/{attachment}                       | tasks:read     | 200 200 200 404 |
POST /api/v1/attachments/{attachment}/completion           | tasks:write    | 200 403 403 404 |
DELETE /api/v1/attachments/{attachment}                    | tasks:write    | 204 204 403 404 |
GET /api/v1/projects/{project}/webhooks                    | projects:read  | 200 403 403 404 |
POST /api/v1/projects/{project}/webhooks                   | projects:write | 201 403 403 404 | {"url":"http://127.0.0.1:9/"}
GET /api/v1/webhooks/{webhook}                             | projects:read  | 200 403 403 404 |
PATCH /api/v1/webhooks/{webhook}                           | projects:write | 200 403 403 404 | {"actions":["task.*"]}
DELETE /api/v1/webhooks/{webhook}                          | projects:write | 204 403 403 404 |
POST /api/v1/webhooks/{webhook}/secret                     | projects:write | 200 403 403 404 |
POST /api/v1/webhooks/{webhook}/ping                       | projects:write | 202 403 403 404 |
GET /api/v1/webhooks/{webhook}/deliveries                  | projects:read  | 200 403 403 404 |
POST /api/v1/webhooks/{webhook}/deliveries/{delivery}/redelivery | projects:write | 202 403 403 404 |
POST /api/v1/me/erasure                                    | session        | 403 403 403 403 | {"password":"wrong horse"}
GET /api/v1/me/export                                      | session        | 200 200 200 200 |
"##;

pub(crate) fn rows() -> Vec<Row> {
    ROWS.trim().lines().map(row).collect()
}

fn row(line: &'static str) -> Row {
    let mut columns = line.splitn(4, '|').map(str::trim);
    let mut next = || columns.next().unwrap();
    let (operation, needs) = (next(), next());
    let answers: Vec<u16> = next().split(' ').map(|status| status.parse().unwrap()).collect();
    Row {
        operation,
        needs: match needs {
            "nothing" => Nothing,
            "session" => Session,
            scope => Scope(scope),
        },
        answers: answers.try_into().unwrap(),
        body: next(),
    }
}

/// A project with everything in it, made anew for every probe since some of them end it.
pub(crate) struct World {
    /// Owner, editor, viewer, stranger: session secrets.
    pub(crate) users: [String; 4],
    owner: Uuid,
    ids: Vec<(&'static str, String)>,
}

/// Where a stranger changes something of a project: with the invitation to it.
const INVITED: &str = "/invitations/accept";

/// The name of each kind of user, in the order of the answers in a row.
const USERS: [&str; 4] = ["owner", "editor", "viewer", "stranger"];

impl World {
    pub(crate) async fn new(service: &Instance, connection: &mut PgConnection) -> Self {
        let mut users = Vec::new();
        let mut secrets = Vec::new();
        for name in USERS {
            let (id, secret) = service.database.user(name).await;
            users.push(id);
            secrets.push(secret);
        }
        let (member, _) = service.database.user("member").await;
        let fresh = || Uuid::now_v7().to_string();
        let (project, task, invitation, token, secret) = (fresh(), fresh(), fresh(), fresh(), fresh());
        let (label, comment, filter, reminder, notification) = (fresh(), fresh(), fresh(), fresh(), fresh());
        let (attachment, webhook, delivery) = (fresh(), fresh(), fresh());
        let [owner, editor, viewer, stranger] = [users[0], users[1], users[2], users[3]];
        let session: Uuid = sqlx::query_scalar(
            "insert into sessions (id, user_id, token_sha256, expires_at)
             values (gen_random_uuid(), $1, sha256(gen_random_uuid()::text::bytea), now() + interval '1 day') returning id",
        )
        .bind(owner)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!(
            "insert into projects (id, name) values ('{project}', 'garden');
             insert into memberships (project_id, user_id, role) values
                ('{project}', '{owner}', 'owner'), ('{project}', '{editor}', 'editor'), ('{project}', '{viewer}', 'viewer'),
                ('{project}', '{member}', 'viewer');
             with other as (insert into projects (id, name) values (gen_random_uuid(), 'elsewhere') returning id)
             insert into memberships (project_id, user_id, role) select id, '{stranger}', 'owner' from other;
             insert into tasks (id, project_id, title) values ('{task}', '{project}', 'dig');
             insert into labels (id, project_id, name, colour) values ('{label}', '{project}', 'urgent', '#000000');
             insert into comments (id, task_id, author_id, body) values ('{comment}', '{task}', '{owner}', 'Here?');
             insert into attachments (id, task_id, author_id, name, content_type, size, object_key, upload_until, stored_at)
                values ('{attachment}', '{task}', '{owner}', 'plan.txt', 'text/plain', 5, '{attachment}', now(), now());
             insert into webhooks (id, project_id, url, secret) values ('{webhook}', '{project}', 'http://127.0.0.1:9/', '');
             insert into webhook_deliveries (id, webhook_id, action, state) values
                ('{delivery}', '{webhook}', 'task.created', 'dead');
             insert into saved_filters (id, project_id, name, filter) values ('{filter}', '{project}', 'Ours', '{{}}');
             insert into reminders (id, task_id, user_id, minutes_before_due) values ('{reminder}', '{task}', '{owner}', 60);
             insert into notifications (id, user_id, task_id, reminder_id, remind_at) values
                ('{notification}', '{owner}', '{task}', '{reminder}', now());
             insert into invitations (id, project_id, role, token_sha256, invited_by, expires_at) values
                ('{invitation}', '{project}', 'editor', sha256('{secret}'), '{owner}', now() + interval '1 day');
             insert into api_tokens (id, user_id, name, token_sha256, scopes, expires_at) values
                ('{token}', '{owner}', 'ci', sha256('{token}'), '{{tasks:read}}', now() + interval '1 day');"
        )))
        .execute(&mut *connection)
        .await
        .unwrap();
        let ids = vec![
            ("{project}", project),
            ("{task}", task),
            ("{invitation}", invitation),
            ("{label}", label),
            ("{comment}", comment),
            ("{attachment}", attachment),
            ("{webhook}", webhook),
            ("{delivery}", delivery),
            ("{filter}", filter),
            ("{reminder}", reminder),
            ("{notification}", notification),
            ("{member}", member.to_string()),
            ("{session}", session.to_string()),
            ("{token}", token),
            ("{secret}", secret),
            ("{new}", fresh()),
        ];
        Self {
            users: secrets.try_into().unwrap(),
            owner,
            ids,
        }
    }

    /// What is the owner's, or of the owner's project. A stranger who registers uses the name that is still free.
    pub(crate) fn tenant(&self) -> Tenant {
        let named = self.ids.iter().filter(|(name, _)| *name != "{new}");
        Tenant::of(
            named
                .map(|(_, id)| id.as_str())
                .chain([self.owner.to_string().as_str()]),
        )
    }

    pub(crate) fn fill(&self, text: &str) -> String {
        self.ids
            .iter()
            .fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
    }

    async fn send(&self, api: &Api, row: &Row) -> (StatusCode, HeaderMap, Value) {
        send(api, &self.fill(row.operation), &self.fill(row.body)).await
    }

    /// With an Idempotency-Key.
    async fn send_under(&self, key: &str, api: &Api, row: &Row) -> (StatusCode, HeaderMap, Value) {
        let (request, body) = request(api, &self.fill(row.operation), &self.fill(row.body));
        let request = request.header("idempotency-key", key);
        if row.operation.ends_with("/events") {
            return api.head_of(request).await;
        }
        let reply = api.send(request.body(body).unwrap()).await;
        (reply.status, reply.headers, reply.body)
    }

    /// A token of the owner with this scope only.
    async fn token(&self, scope: &str, connection: &mut PgConnection) -> String {
        let secret = format!("tt_{}", Uuid::new_v4());
        sqlx::query(
            "insert into api_tokens (id, user_id, name, token_sha256, scopes, expires_at)
             select gen_random_uuid(), user_id, 'ci', sha256($2::text::bytea), array[$3], now() + interval '1 day'
             from api_tokens where id = $1",
        )
        .bind(self.fill("{token}").parse::<Uuid>().unwrap())
        .bind(&secret)
        .bind(scope)
        .execute(connection)
        .await
        .unwrap();
        secret
    }
}

/// A request whose ids are filled in, and its body.
pub(crate) fn request(api: &Api, operation: &str, body: &str) -> (Builder, Body) {
    let (method, path) = operation.split_once(' ').unwrap();
    let request = api
        .request(method.parse::<Method>().unwrap(), path)
        .header("if-match", "*");
    if body.is_empty() {
        return (request, Body::empty());
    }
    let kind = if path.ends_with("/tasks.csv") {
        "text/csv"
    } else {
        "application/json"
    };
    (request.header("content-type", kind), Body::from(body.to_owned()))
}

pub(crate) async fn send(api: &Api, operation: &str, body: &str) -> (StatusCode, HeaderMap, Value) {
    let (request, body) = request(api, operation, body);
    if operation.ends_with("/events") {
        return api.head_of(request).await;
    }
    let reply = api.send(request.body(body).unwrap()).await;
    (reply.status, reply.headers, reply.body)
}

#[test]
fn every_operation_has_a_row_and_every_row_an_operation() {
    let document = task_tracker::openapi_document();
    let mut documented = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            documented.push(shape(&format!("{} {path}", method.to_uppercase())));
        }
    }
    let mut rows: Vec<String> = rows().iter().map(|row| shape(row.operation)).collect();
    documented.sort();
    rows.sort();
    assert_eq!(documented, rows);
}

/// The operation with the names of its path's parameters left out.
fn shape(operation: &str) -> String {
    let parts = operation.split('/');
    let parts = parts.map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn nobody_gets_in_where_they_do_not_belong() {
    let service = start(EVERYTHING).await;
    let mut connection = service.database.connect().await;
    for row in &rows() {
        let Row {
            operation,
            needs,
            answers,
            ..
        } = row;
        let mut world = World::new(&service, &mut connection).await;
        for (number, expected) in answers.iter().enumerate() {
            let before = tenant::held(&mut connection, &world.tenant()).await;
            let api = service.api.with_session(&world.users[number]);
            let (status, headers, body) = world.send(&api, row).await;
            assert_eq!(status, *expected, "{operation} by {}: {body}", USERS[number]);
            assert_is_kept_by_nobody(&headers, operation);
            let after = tenant::held(&mut connection, &world.tenant()).await;
            let is_let_in = *expected < 400 && (USERS[number] != "stranger" || operation.ends_with(INVITED));
            if !is_let_in {
                assert_eq!(after, before, "{operation} by {}", USERS[number]);
            }
            if *expected < 400 {
                world = World::new(&service, &mut connection).await;
            }
        }
        let before = tenant::held(&mut connection, &world.tenant()).await;
        for api in [
            service.api.anonymous(),
            service.api.with_session("nothing"),
            service.api.with_token("tt_nothing"),
        ] {
            let (status, headers, body) = world.send(&api, row).await;
            assert_is_kept_by_nobody(&headers, operation);
            if *needs != Nothing {
                assert_eq!(status, 401, "{operation} by nobody: {body}");
                assert!(headers.contains_key("www-authenticate"), "{operation}");
            }
        }
        assert_eq!(
            tenant::held(&mut connection, &world.tenant()).await,
            before,
            "{operation} by nobody"
        );
    }
}

/// What is answered is somebody's own, or about them; and a browser must not take it for something else.
fn assert_is_kept_by_nobody(headers: &HeaderMap, operation: &str) {
    assert_eq!(headers["cache-control"], "no-store", "{operation}");
    assert_eq!(headers["x-content-type-options"], "nosniff", "{operation}");
    assert_eq!(
        headers.get_all("x-content-type-options").iter().count(),
        1,
        "{operation}"
    );
}

#[tokio::test]
async fn a_token_does_what_its_scope_says_and_nothing_else() {
    let service = start(EVERYTHING).await;
    let mut connection = service.database.connect().await;
    for row in &rows() {
        let Row {
            operation,
            needs,
            answers: [owner, ..],
            ..
        } = row;
        for scope in SCOPES {
            let world = World::new(&service, &mut connection).await;
            let secret = world.token(scope, &mut connection).await;
            let (status, _, body) = world.send(&service.api.with_token(&secret), row).await;
            let expected = match needs {
                Scope(needed) if *needed != scope => 403,
                Session => 403,
                Nothing | Scope(_) => *owner,
            };
            assert_eq!(status, expected, "{operation} with {scope}: {body}");
            let problem = match needs {
                Scope(needed) if *needed != scope => "urn:task-tracker:problem:scope-missing",
                Session => "urn:task-tracker:problem:session-required",
                Nothing | Scope(_) => continue,
            };
            assert_eq!(body["type"], problem, "{operation} with {scope}");
        }
    }
}

/// What is not described as taking a key must not look as if it did.
#[tokio::test]
async fn a_key_is_kept_wherever_the_description_offers_one_and_nowhere_else() {
    let service = start(EVERYTHING).await;
    let mut connection = service.database.connect().await;
    let document = task_tracker::openapi_document();
    let mut offered = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            if parameters.into_iter().any(|one| one["name"] == "idempotency-key") {
                offered.push(shape(&format!("{} {path}", method.to_uppercase())));
            }
        }
    }
    for row in &rows() {
        let world = World::new(&service, &mut connection).await;
        let api = service.api.with_session(&world.users[0]);
        let (status, _, body) = world.send_under("again", &api, row).await;
        if status.as_u16() >= 400 {
            continue;
        }
        let kept: bool = sqlx::query_scalar(
            "with gone as (delete from idempotency_keys returning 1) select exists (select from gone)",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        // It was there already, so that nothing had to be kept.
        let changed_nothing = row.operation.ends_with("/completion");
        let expected = offered.contains(&shape(row.operation)) && !changed_nothing;
        assert_eq!(kept, expected, "{}: {body}", row.operation);
    }
}
