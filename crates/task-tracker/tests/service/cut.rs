//! Every change of the API, cut off at every place where it waits: as when a client hangs up, at whatever moment.
//!
//! The changes are those of the matrix, which has all that the API describes. Each is let through once to see what it does,
//! table by table; cut off, it has done all of that or nothing. A key lets it be sent again: then it has happened once.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use hyper::StatusCode;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::Instant;

use crate::{
    api::{Api, Reply},
    instance::{Instance, start_dressed},
    matrix::{Row, World, request, rows},
    store::{self, Store},
    tenant::{self, Held, Tenant, changes},
};

/// After how many polls the work is dropped.
const CUT_AFTER: &str = "x-cut-after";
/// What no endpoint answers.
const CUT: StatusCode = StatusCode::IM_A_TEAPOT;
/// Nothing here waits more often.
const MANY: usize = 200;

const PASSWORD: &str = "correct horse battery";

/// Of the user `$1`, in the world of the id `$2`.
const LEAVES: &str =
    "update users set erase_after = now() + interval '1 day' where id = $1::uuid and $2::text is not null";
const MAY_RESET: &str = "
    insert into password_resets (user_id, token_sha256, expires_at)
    select $1::uuid, sha256(convert_to('ttr_' || $2, 'UTF8')), now() + interval '1 hour'";

/// Bodies that do more than those of the matrix.
const BODIES: [(&str, &str); 7] = [
    (
        "POST /api/v1/password-reset",
        r#"{"secret":"ttr_{new}","new":"battery horse correct"}"#,
    ),
    (
        "POST /api/v1/session",
        r#"{"email":"{new}@example.com","password":"correct horse battery"}"#,
    ),
    (
        "POST /api/v1/me/password",
        r#"{"current":"correct horse battery","new":"battery horse correct"}"#,
    ),
    ("POST /api/v1/me/erasure", r#"{"password":"correct horse battery"}"#),
    (
        "POST /api/v1/projects/import",
        r#"{"format":"task-tracker.project/1","project":{"name":"garden"},"tasks":[{"title":"dig"},{"title":"rake"}]}"#,
    ),
    ("POST /api/v1/projects/{project}/tasks.csv", "title\ndig\nrake\n"),
    (
        "POST /api/v1/projects/{project}/tasks/bulk",
        r#"{"tasks":[{"id":"{task}"}],"change":{"status":"done","priority":"high","parent_id":null}}"#,
    ),
];

async fn cut(request: Request, next: Next) -> Response {
    let after = request
        .headers()
        .get(CUT_AFTER)
        .map(|after| after.to_str().unwrap().parse::<usize>().unwrap());
    let Some(mut left) = after else {
        return next.run(request).await;
    };
    let mut work = Some(Box::pin(next.run(request)));
    poll_fn(move |context| poll(&mut work, &mut left, context)).await
}

fn poll<F: Future<Output = Response>>(
    work: &mut Option<Pin<Box<F>>>,
    left: &mut usize,
    context: &mut Context<'_>,
) -> Poll<Response> {
    let polled = work.as_mut().unwrap().as_mut().poll(context);
    *left -= 1;
    if polled.is_pending() && *left == 0 {
        *work = None;
        return Poll::Ready(CUT.into_response());
    }
    polled
}

struct Stage {
    service: Instance,
    connection: PgConnection,
    /// Of a user with this password, for others.
    hash: String,
    activity: String,
    _store: Store,
}

/// A world in which somebody is about to do something.
struct Try {
    world: World,
    user: String,
    api: Api,
    before: Held,
}

impl Stage {
    async fn new() -> Self {
        let store = store::start().await;
        // One connection for what is sent together, and one for the rest: see `wait_for_all`.
        let flags = "--database-pool 2 --database-acquire-seconds 30 --webhook-allow 127.0.0.1";
        let flags = format!("{flags} {}", store.flags());
        let service = start_dressed(&flags, |routes: Router| routes.layer(middleware::from_fn(cut))).await;
        let account = json!({ "email": "zoe@example.com", "name": "Zoe", "password": PASSWORD });
        service
            .api
            .anonymous()
            .post("/api/v1/accounts", account)
            .await
            .expect(201);
        let activity = format!("/api/v1/projects/{}/activity", service.api.project().await);
        let mut connection = service.database.connect().await;
        // Messages wait, whatever becomes of their webhooks: what is sent meanwhile would look like a part of a change.
        sqlx::raw_sql(
            "create function wait() returns trigger language plpgsql as $$
             begin
                new.not_before := now() + interval '1 day';
                return new;
             end $$;
             create trigger wait before insert or update on webhooks for each row execute function wait()",
        )
        .execute(&mut connection)
        .await
        .unwrap();
        let hash = sqlx::query_scalar("select password_hash from users where email = 'zoe@example.com'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        Self {
            service,
            connection,
            hash,
            activity,
            _store: store,
        }
    }

    async fn furnish(&mut self, row: &Row) -> Try {
        let world = World::new(&self.service, &mut self.connection).await;
        // Somebody is a member by the invitation only once.
        let who = usize::from(row.operation.ends_with("/accept")) * 3;
        let api = self.service.api.with_session(&world.users[who]);
        let id = api.get("/api/v1/me").await.expect(200).id();
        let registers = row.operation == "POST /api/v1/accounts";
        sqlx::query(
            "update users set password_hash = $2, email = case when $3 then email else $4 end where id = $1::uuid",
        )
        .bind(&id)
        .bind(&self.hash)
        .bind(registers)
        .bind(world.fill("{new}@example.com"))
        .execute(&mut self.connection)
        .await
        .unwrap();
        let read = "PUT /api/v1/notifications/{notification}/read";
        match row.operation {
            "DELETE /api/v1/notifications/{notification}/read" => {
                let (request, body) = request(&api, &world.fill(read), "");
                api.send(request.body(body).unwrap()).await.expect(200);
            }
            "POST /api/v1/attachments/{attachment}/completion" => {
                self.upload(&api, &world).await;
            }
            "POST /api/v1/accounts/restore" => self.of_user(LEAVES, &id, &world).await,
            "POST /api/v1/password-reset" => self.of_user(MAY_RESET, &id, &world).await,
            _ => {}
        }
        let tenant = self.tenant(&world, &id).await;
        Try {
            before: tenant::held(&mut self.connection, &tenant).await,
            world,
            user: id,
            api,
        }
    }

    async fn of_user(&mut self, statement: &'static str, id: &str, world: &World) {
        sqlx::query(statement)
            .bind(id)
            .bind(world.fill("{new}"))
            .execute(&mut self.connection)
            .await
            .unwrap();
    }

    /// What is in the world, and what this user has in it: a new account and a new project have ids that nobody could know.
    async fn tenant(&mut self, world: &World, user: &str) -> Tenant {
        let fresh = world.fill("{new}");
        let more: Vec<String> = sqlx::query_scalar(
            "select id::text from users where email = $1
             union select project_id::text from memberships where user_id = $2::uuid",
        )
        .bind(format!("{fresh}@example.com"))
        .bind(user)
        .fetch_all(&mut self.connection)
        .await
        .unwrap();
        more.iter()
            .fold(world.tenant().and(&fresh), |tenant, id| tenant.and(id))
    }

    /// Takes the place of the attachment that is there already: one whose file is in the bucket and is not confirmed.
    async fn upload(&mut self, owner: &Api, world: &World) {
        let new = json!({ "name": "plan.txt", "content_type": "text/plain", "size": 5 });
        let announced = owner
            .post(&world.fill("/api/v1/tasks/{task}/attachments"), new)
            .await
            .expect(201);
        assert_eq!(store::put(&announced.body["upload"], b"hello").await.status, 200);
        let (id, stored) = (world.fill("{attachment}"), announced.id());
        sqlx::raw_sql(AssertSqlSafe(format!(
            "delete from attachments where id = '{id}'; delete from attachment_weights where attachment_id = '{stored}';
             update attachments set id = '{id}' where id = '{stored}';
             insert into attachment_weights (attachment_id, project_id, size) values ('{id}', '{}', 5)",
            world.fill("{project}")
        )))
        .execute(&mut self.connection)
        .await
        .unwrap();
    }

    /// A statement that was on its way is answered before those that come after it on its connection, and there are two.
    async fn wait_for_all(&self) {
        for path in ["/api/v1/me", &self.activity] {
            self.service.api.get(path).await.expect(200);
        }
    }

    /// What the change has done, when nothing of it is under way any more.
    async fn effect(&mut self, tried: &Try) -> BTreeMap<String, i64> {
        self.wait_for_all().await;
        self.assert_nothing_is_open().await;
        let tenant = self.tenant(&tried.world, &tried.user).await;
        let after = tenant::held(&mut self.connection, &tenant).await;
        changes(&tried.before, &after)
    }

    /// Statements of requests that are gone may still run; what must not be is a session that waits inside a transaction.
    async fn assert_nothing_is_open(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let states: Vec<String> = sqlx::query_scalar(
                "select coalesce(state, '') from pg_stat_activity
                 where datname = current_database() and application_name = 'task-tracker 1.2.3'",
            )
            .fetch_all(&mut self.connection)
            .await
            .unwrap();
            assert!(
                !states.iter().any(|state| state.starts_with("idle in transaction")),
                "{states:?}"
            );
            if states.iter().all(|state| state == "idle") {
                return;
            }
            assert!(Instant::now() < deadline, "never idle: {states:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Try {
    async fn send(&self, row: &Row, key: &str, cut_after: Option<usize>) -> Reply {
        let operation = self.world.fill(row.operation);
        let (request, body) = request(&self.api, &operation, &self.world.fill(body_of(row)));
        let request = request.header("idempotency-key", key);
        let request = match cut_after {
            Some(polls) => request.header(CUT_AFTER, polls.to_string()),
            None => request,
        };
        self.api.send(request.body(body).unwrap()).await
    }
}

fn body_of(row: &Row) -> &'static str {
    let better = BODIES.iter().find(|(operation, _)| *operation == row.operation);
    better.map_or(row.body, |(_, body)| body)
}

#[tokio::test]
async fn a_change_that_is_cut_off_is_done_or_not_done_and_can_be_sent_again() {
    let mut stage = Stage::new().await;
    let (mut changes_tried, mut whole, mut none) = (0, 0, 0);
    for row in rows().iter().filter(|row| !row.operation.starts_with("GET ")) {
        let tried = stage.furnish(row).await;
        let reply = tried.send(row, "uncut", None).await;
        assert!(reply.status.is_success(), "{}: {reply:?}", row.operation);
        let effect = stage.effect(&tried).await;
        assert!(
            effect.get("events").is_some_and(|more| *more > 0),
            "{}: {effect:?}",
            row.operation
        );
        assert!(effect.len() > 1, "{} does nothing", row.operation);
        let can_be_repeated = effect.contains_key("idempotency_keys");
        let mut polls = 1;
        let mut tried = stage.furnish(row).await;
        loop {
            assert!(polls < MANY, "{} never ends", row.operation);
            let key = format!("cut-{polls}");
            let reply = tried.send(row, &key, Some(polls)).await;
            let done = stage.effect(&tried).await;
            if reply.status != CUT {
                assert!(reply.status.is_success(), "{}: {reply:?}", row.operation);
                assert_eq!(done, effect, "{}", row.operation);
                break;
            }
            let is_done = !done.is_empty();
            if is_done {
                assert_eq!(done, effect, "{} cut off after {polls} polls", row.operation);
                whole += 1;
            } else {
                none += 1;
            }
            if is_done && can_be_repeated {
                let again = tried.send(row, &key, None).await;
                let is_logged_out = again.status == 401 && done.contains_key("sessions");
                assert!(
                    again.status.is_success() || is_logged_out,
                    "{}: {again:?}",
                    row.operation
                );
                assert_eq!(stage.effect(&tried).await, effect, "{} sent again", row.operation);
            }
            if is_done {
                tried = stage.furnish(row).await;
            }
            polls += 1;
        }
        changes_tried += 1;
    }
    // Else nothing was cut off where it matters. Who is asking was found out before: that is cut off in `traps`.
    assert!(
        changes_tried >= 45 && whole >= changes_tried && 2 * none >= changes_tried,
        "{changes_tried}: {whole}, {none}"
    );
}
