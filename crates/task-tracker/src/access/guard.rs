//! Stands before every operation: who is asking, may these credentials do that, and not too often.
//!
//! Decides by the kind of operation only (`policy`). Which rows the caller may see or change is in the predicate of each
//! endpoint's own statement.

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, Method, header},
    response::{IntoResponse, Response},
};
use uuid::Uuid;

use crate::{
    access::{
        Caller, Via,
        address::{self, Peer},
        cookie, origin,
        policy::{self, Access, Documented},
        secret::Fingerprint,
        throttle::{self, Allowance},
    },
    database::{Parameter, Sending, column},
    operation::{self, Name},
    problem::Problem,
    retry::Retry,
    router::Context,
    telemetry::RequestId,
};

/// A session ends by itself when it was not used for two weeks. Its use is noted every five minutes: a write for each
/// request would cost more than the request.
macro_rules! by_session {
    () => {
        "hit as (
            select sessions.id, sessions.user_id, null::text[] as scopes
            from sessions join users on users.id = sessions.user_id
            where sessions.token_sha256 = $1 and sessions.expires_at > now()
              and sessions.last_used_at > now() - interval '14 days' and users.erase_after is null
        ), noted as (
            update sessions set last_used_at = now() from hit
            where sessions.id = hit.id and sessions.last_used_at < now() - interval '5 minutes'
        )"
    };
}

macro_rules! by_token {
    () => {
        "hit as (
            select api_tokens.id, api_tokens.user_id, api_tokens.scopes
            from api_tokens join users on users.id = api_tokens.user_id
            where api_tokens.token_sha256 = $1 and api_tokens.expires_at > now() and users.erase_after is null
        ), noted as (
            update api_tokens set last_used_at = now() from hit
            where api_tokens.id = hit.id
              and (api_tokens.last_used_at is null or api_tokens.last_used_at < now() - interval '5 minutes')
        )"
    };
}

macro_rules! reading {
    ($hit:expr) => {
        concat!("with ", $hit, " select id, user_id, scopes, 0::float8 from hit")
    };
}

/// As `Limit::charge` does, in the same round trip. The last column, of both, is the level of the limit; null when that is
/// used up.
macro_rules! writing {
    ($hit:expr) => {
        concat!(
            "with ",
            $hit,
            ", charged as (
                insert into throttles as t (key, full_at)
                select 'writes/' || user_id, now() + make_interval(secs => $2) from hit
                on conflict (key) do update
                set full_at = greatest(t.full_at, now()) + make_interval(secs => $2)
                where greatest(t.full_at, now()) + make_interval(secs => $2) <= now() + make_interval(secs => $3)
                returning extract(epoch from full_at - now())::float8 as level
            )
            select id, user_id, scopes, (select level from charged) from hit"
        )
    };
}

struct Hit {
    user_id: Uuid,
    via: Via,
    scopes: Option<Vec<String>>,
}

enum Credentials {
    Session(Fingerprint),
    Token(Fingerprint),
}

/// Lets a request through with its `Caller`, or answers it.
pub(crate) async fn guard<A: Future<Output = Response>>(
    context: &Context,
    request: Request,
    answer: impl FnOnce(Request) -> A,
) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("", MatchedPath::as_str);
    let Some(documented) = context.policy.operation(route, request.method()) else {
        return answer(request).await;
    };
    let admitted = admit(context, documented, route, request);
    match operation::named(Name::Guard, admitted).await {
        Ok((request, allowance)) => {
            let mut response = operation::named(Name::Operation(documented.name.clone()), answer(request)).await;
            if let Some(allowance) = allowance {
                allowance.write(response.headers_mut());
            }
            response
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit(
    context: &Context,
    documented: &Documented,
    route: &str,
    request: Request,
) -> Result<(Request, Option<Allowance>), Problem> {
    let credentials = credentials(request.headers())?;
    let holds_its_own = matches!(credentials, Some(Credentials::Token(_)));
    if !holds_its_own && !origin::is_trusted(request.method(), request.headers()) {
        return Err(Problem::CrossOrigin);
    }
    if documented.access == Access::Public {
        stranger(context, &request)?;
        return Ok((request, None));
    }
    let Some(credentials) = credentials else {
        stranger(context, &request)?;
        return Err(Problem::Unauthenticated);
    };
    let is_write = !origin::is_safe(request.method());
    let found = identify(context, &credentials, request.method()).await;
    if found
        .as_ref()
        .is_err_and(|problem| *problem == Problem::Unauthenticated)
    {
        stranger(context, &request)?;
    }
    let (hit, allowance) = found?;
    context.shedding.user(hit.user_id)?;
    permit(documented.access, &hit)?;
    let (mut request, retry) = if is_write && policy::keeps_its_answer(&documented.name) {
        Retry::capture(request, route).await?
    } else {
        (request, None)
    };
    let request_id = request.extensions().get::<RequestId>().map(RequestId::to_string);
    request.extensions_mut().insert(Caller {
        user: hit.user_id,
        via: hit.via,
        request_id: request_id.unwrap_or_default(),
        retry,
    });
    Ok((request, allowance))
}

/// Counts a request of somebody who has not shown who they are.
fn stranger(context: &Context, request: &Request) -> Result<(), Problem> {
    let peer = request.extensions().get::<Peer>().copied();
    let from = address::client(request.headers(), peer, context.proxies);
    context.shedding.stranger(from)
}

/// A bearer token counts before a cookie: whoever sends one means it.
fn credentials(headers: &HeaderMap) -> Result<Option<Credentials>, Problem> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let token = token.ok_or(Problem::Unauthenticated)?;
        return Ok(Some(Credentials::Token(Fingerprint::of(token))));
    }
    Ok(cookie::session(headers).map(|secret| Credentials::Session(Fingerprint::of(secret))))
}

async fn identify(
    context: &Context,
    credentials: &Credentials,
    method: &Method,
) -> Result<(Hit, Option<Allowance>), Problem> {
    let is_write = !origin::is_safe(method);
    let (sql, fingerprint) = match (credentials, is_write) {
        (Credentials::Session(secret), false) => (reading!(by_session!()), secret),
        (Credentials::Session(secret), true) => (writing!(by_session!()), secret),
        (Credentials::Token(secret), false) => (reading!(by_token!()), secret),
        (Credentials::Token(secret), true) => (writing!(by_token!()), secret),
    };
    let limit = context.limits.writes;
    let fingerprint = fingerprint.as_bytes();
    let (step, window) = (limit.step(), limit.window_seconds());
    let (sending, parameters): (_, &[&dyn Parameter]) = if is_write {
        (Sending::Once, &[&fingerprint, &step, &window])
    } else {
        (Sending::Repeatable, &[&fingerprint])
    };
    let found = context.database.ask(sending, sql, parameters).await;
    let found = found.map_err(|cause| Problem::of_statement(&cause))?;
    let row = found.first().ok_or(Problem::Unauthenticated)?;
    let id = column(row, 0)?;
    let via = match credentials {
        Credentials::Session(_) => Via::Session(id),
        Credentials::Token(_) => Via::Token(id),
    };
    let hit = Hit {
        user_id: column(row, 1)?,
        via,
        scopes: column(row, 2)?,
    };
    // None: the allowance was used up.
    let level: Option<f64> = column(row, 3)?;
    match level {
        Some(level) => Ok((hit, is_write.then(|| limit.at(level)))),
        None => Err(Box::pin(exhausted(context, hit.user_id)).await),
    }
}

async fn exhausted(context: &Context, user: Uuid) -> Problem {
    let level = match context.database.connection().await {
        Ok(mut connection) => throttle::level(&format!("writes/{user}"), &mut connection).await,
        Err(problem) => return problem,
    };
    match level {
        Ok(level) => Problem::Throttled {
            allowance: context.limits.writes.at(level),
        },
        Err(problem) => problem,
    }
}

/// Scopes are of tokens; a session has them all.
fn permit(access: Access, hit: &Hit) -> Result<(), Problem> {
    let Some(scopes) = &hit.scopes else {
        return Ok(());
    };
    match access {
        Access::Public => Ok(()),
        Access::Session => Err(Problem::SessionRequired),
        Access::Token(needed) if scopes.iter().any(|scope| scope == needed.as_str()) => Ok(()),
        Access::Token(needed) => Err(Problem::ScopeMissing(needed)),
    }
}
