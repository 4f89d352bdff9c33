//! Which path leads where, and what wraps every request.

use std::{any::Any, ops::Deref, panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::FutureExt;

use crate::{
    access::{
        self,
        password::Passwords,
        policy::Policy,
        shedding::Shedding,
        throttle::Limit,
        turns::{Heavy, Turns},
    },
    activity::Feed,
    attachment::{Bucket, NoUrl},
    config::Settings,
    database::Database,
    lifecycle::Lifecycle,
    openapi,
    outbound::{Outbound, Reach},
    probe,
    problem::Problem,
    telemetry::{self, Metrics},
    trace::Traces,
    webhook::Webhooks,
};

/// What endpoints share. Each layer and each endpoint clones it for each request.
#[derive(Clone)]
pub(crate) struct Context(Arc<Shared>);

/// See `Context`.
pub(crate) struct Shared {
    pub(crate) database: Database,
    pub(crate) meters: Metrics,
    /// When somebody collects them.
    pub(crate) traces: Option<Traces>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) release: HeaderValue,
    pub(crate) passwords: Passwords,
    pub(crate) feed: Feed,
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    pub(crate) shedding: Shedding,
    /// Exports and imports under way.
    pub(crate) heavy: Heavy,
    /// Streams of events that are open.
    pub(crate) streams: Turns,
    /// None without a key to keep their secrets with.
    pub(crate) webhooks: Option<Webhooks>,
    /// Of attachments; None when this installation has none.
    pub(crate) attachments: Option<Bucket>,
    /// Proxies of ours in front.
    pub(crate) proxies: u8,
    /// Longest time from request to response.
    pub(crate) patience: Duration,
}

/// How often users may do what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Changes by one user.
    pub(crate) writes: Limit,
}

impl Deref for Context {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Shared {
    pub(crate) fn new(
        settings: &Settings,
        database: Database,
        meters: Metrics,
        lifecycle: Lifecycle,
    ) -> Result<Self, NoUrl> {
        let outbound = Outbound::new();
        let secrets = &settings.secrets;
        let attachments = Bucket::open(&settings.attachments, secrets.credentials.as_ref(), &outbound)?;
        let webhooks = secrets.webhook_keys.clone().map(|keys| Webhooks {
            keys,
            reach: Reach::Public {
                besides: settings.webhooks.allow.clone(),
            },
            outbound: match &settings.webhooks.authorities {
                Some(authorities) => Outbound::believing(authorities),
                None => outbound,
            },
        });
        let release = HeaderValue::from_str(settings.release.as_str()).unwrap_or(HeaderValue::from_static("unknown"));
        Ok(Self {
            heavy: Heavy::beside(database.most_at_work()),
            database,
            meters,
            traces: None,
            lifecycle,
            release,
            passwords: Passwords::new(),
            feed: Feed::default(),
            policy: Policy::default(),
            limits: Limits {
                writes: Limit {
                    name: "writes",
                    uses: settings.writes_per_minute,
                    window: Duration::from_mins(1),
                },
            },
            shedding: Shedding::new(settings.requests_per_minute, settings.anonymous_per_minute),
            streams: Turns::new(settings.streams_per_user),
            webhooks,
            attachments,
            proxies: settings.trusted_proxies,
            patience: settings.request,
        })
    }
}

/// The API, and what is left of it on connections for which there is no place. Whatever `dress` adds stands between the
/// endpoints and what observes and limits them.
pub(crate) fn api(shared: Shared, dress: impl FnOnce(Router) -> Router) -> (Router, Router) {
    let (operations, document) = openapi::operations();
    let context = Context(Arc::new(Shared {
        policy: Policy::of(&document),
        ..shared
    }));
    let routes = operations
        .merge(openapi::pages(&document))
        .merge(probes())
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .fallback(async || Problem::NoSuchRoute)
        .with_state(context.clone());
    let crowded = probes()
        .fallback(async || Problem::Busy)
        .layer(middleware::map_response(hang_up))
        .with_state(context.clone());
    (watched(dress(routes), &context), watched(crowded, &context))
}

fn probes() -> Router<Context> {
    Router::new()
        .route("/livez", get(probe::live))
        .route("/readyz", get(probe::ready))
}

fn watched(routes: Router, context: &Context) -> Router {
    routes.layer(middleware::from_fn_with_state(context.clone(), watch))
}

/// One layer for all that every request has around it: each further one is a copy of the route and a box for each request.
async fn watch(State(context): State<Context>, request: Request, next: Next) -> Response {
    // On the heap once: what stands here is moved about by each layer of axum around it.
    let guarded = |request| Box::pin(access::guard(&context, request, |request| next.run(request)));
    telemetry::observe(&context, request, |request| within(context.patience, guarded(request))).await
}

/// What the endpoint answers, or what there is to say when it takes too long or gives up.
async fn within(patience: Duration, answer: impl Future<Output = Response>) -> Response {
    // Nothing outlives the answer that a panic could have left half-changed.
    let answer = pin!(AssertUnwindSafe(answer).catch_unwind());
    match tokio::time::timeout(patience, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => panicked(&*panic),
        Err(_) => Problem::TimedOut.into_response(),
    }
}

/// The next one wants this connection's place.
async fn hang_up(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The port that only the scraper of metrics reaches.
pub(crate) fn metrics(meters: Metrics, database: Database) -> Router {
    Router::new().route("/metrics", get(async move || meters.render(&database.level())))
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no words");
    tracing::error!(panic = words, "an endpoint panicked");
    Problem::Internal.into_response()
}
