//! One process of the service from start to end: check the schema, listen, serve, drain, finish.

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use metrics_exporter_prometheus::BuildError;
use tokio::net::TcpListener;

use crate::{
    access::shedding::Shedding,
    activity::{Feed, history},
    attachment::{self, Bucket},
    census,
    config::{DatabaseUrl, MissingDatabaseUrl, Settings},
    connection::Limits,
    database::Database,
    descriptors::{self, TooFewFiles},
    leftover,
    lifecycle::Lifecycle,
    outbox, reminder,
    router::{self, Shared},
    schema::{self, SchemaError},
    server::{self, Beyond, Room},
    telemetry::Metrics,
    trace::{NoTraces, Traces},
    upkeep,
    webhook::Webhooks,
};

/// How long the pool may take to say goodbye to PostgreSQL; the server cleans up after one that does not.
const POOL_FAREWELL: Duration = Duration::from_secs(2);
/// How long messages under way may still take.
const OUTBOX_FAREWELL: Duration = Duration::from_secs(2);

/// A service that listens and is about to serve.
pub struct Service {
    api: Listening,
    metrics: Listening,
    limits: Limits,
    settings: Settings,
    database: Database,
    meters: Metrics,
    traces: Option<Traces>,
    feed: Feed,
    shedding: Shedding,
    webhooks: Option<Webhooks>,
    attachments: Option<Bucket>,
    lifecycle: Lifecycle,
}

struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    room: Room,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database URL is missing or malformed.
    #[error("could not tell where the database is")]
    Url(#[source] MissingDatabaseUrl),
    /// The schema could not be read, or is older than this release needs.
    #[error("refused to serve")]
    Schema(#[source] SchemaError),
    /// An address is taken or not ours.
    #[error("could not listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The metrics recorder refused its own settings.
    #[error("could not set up metrics")]
    Metrics(#[source] BuildError),
    /// Traces are wanted and cannot be sent.
    #[error("could not set up traces")]
    Traces(#[source] NoTraces),
    /// There are not enough open files for the connections that are wanted.
    #[error("could not make room for connections")]
    Descriptors(#[source] TooFewFiles),
    /// Attachments are wanted, and the settings lead to no bucket.
    #[error("could not tell where attachments are kept")]
    Attachments(#[source] attachment::NoUrl),
}

/// The process ended before all its requests had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ended with requests unfinished: cut by a second signal or by the deadline after the drain")]
pub struct Unfinished;

impl Service {
    /// Checks the schema and binds both ports. `dress` may wrap the routes, below the request log and the limits.
    pub async fn start(
        settings: Settings,
        url: &DatabaseUrl,
        dress: impl FnOnce(Router) -> Router,
    ) -> Result<Self, StartError> {
        let limit = descriptors::limit();
        let places = descriptors::places(&settings, limit).map_err(StartError::Descriptors)?;
        if settings.max_connections.is_none() && places < descriptors::USUAL {
            tracing::warn!(
                files = limit,
                connections = places,
                "few open files are allowed, and so few connections"
            );
        }
        let meters = Metrics::new().map_err(StartError::Metrics)?;
        let traces = Traces::from_environment(&settings.release).map_err(StartError::Traces)?;
        let database = Database::open(url, &settings, meters.clone()).map_err(StartError::Url)?;
        schema::require(&database, settings.database_start)
            .await
            .map_err(StartError::Schema)?;
        history::begin(&database).await;

        let lifecycle = Lifecycle::new();
        let shared = Shared {
            traces: traces.clone(),
            ..Shared::new(&settings, database.clone(), meters.clone(), lifecycle.clone())
                .map_err(StartError::Attachments)?
        };
        let (feed, shedding) = (shared.feed.clone(), shared.shedding.clone());
        let (webhooks, attachments) = (shared.webhooks.clone(), shared.attachments.clone());
        let (router, crowded) = router::api(shared, dress);
        let room = Room {
            places,
            beyond: Beyond::Answer(crowded),
        };
        let api = listen(&settings, settings.port, router, room).await?;
        let room = Room {
            places: descriptors::SCRAPERS,
            beyond: Beyond::Wait,
        };
        let router = router::metrics(meters.clone(), database.clone());
        let metrics = listen(&settings, settings.metrics_port, router, room).await?;
        let limits = Limits {
            header: settings.header,
            idle: settings.idle,
            stalled: Duration::from_secs(30),
            linger: Duration::from_millis(500),
            last_header: Duration::from_secs(2),
        };
        Ok(Self {
            api,
            metrics,
            limits,
            settings,
            database,
            meters,
            traces,
            feed,
            shedding,
            webhooks,
            attachments,
            lifecycle,
        })
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.api.address
    }

    /// Where `/metrics` listens.
    pub fn metrics_address(&self) -> SocketAddr {
        self.metrics.address
    }

    /// The handle by which this process is told to end.
    pub fn lifecycle(&self) -> Lifecycle {
        self.lifecycle.clone()
    }

    /// Serves until told to end, then drains, finishes what is in flight and closes the pool.
    pub async fn run(self) -> Result<(), Unfinished> {
        let Self {
            api,
            metrics,
            limits,
            settings,
            database,
            meters,
            traces,
            feed,
            shedding,
            webhooks,
            attachments,
            lifecycle,
        } = self;
        // Metrics outlive the API, so that the last requests are counted where a scraper can still see them.
        let scrape = Lifecycle::new();
        let background = [
            tokio::spawn(server::serve(
                metrics.listener,
                metrics.router,
                metrics.room,
                limits,
                scrape,
            )),
            tokio::spawn(census::run(database.clone(), meters.clone())),
            tokio::spawn(database.clone().look_after()),
            tokio::spawn(settings.secrets.clone().follow()),
            tokio::spawn(meters.upkeep()),
            tokio::spawn(feed.run(database.clone())),
            tokio::spawn(shedding.look_after()),
            tokio::spawn(history::run(database.clone())),
            tokio::spawn(reminder::run(database.clone())),
            tokio::spawn(leftover::run(database.clone())),
            tokio::spawn(upkeep::run(
                database.clone(),
                settings.keep_events,
                settings.first_upkeep,
            )),
            tokio::spawn(attachment::sweep::run(database.clone(), attachments)),
        ];
        let outbox = tokio::spawn(outbox::run(database.clone(), webhooks, lifecycle.clone()));
        let serving = tokio::spawn(server::serve(
            api.listener,
            api.router,
            api.room,
            limits,
            lifecycle.clone(),
        ));
        tracing::info!(api = %api.address, metrics = %metrics.address, release = settings.release.as_str(), "serving");

        lifecycle.draining().await;
        tracing::info!(
            seconds = settings.drain.as_secs_f64(),
            "draining: not ready, still serving"
        );
        tokio::select! {
            () = tokio::time::sleep(settings.drain) => {}
            () = lifecycle.cut_off() => {}
        }
        lifecycle.stop();
        tracing::info!("stopping: no new connections, finishing those that are open");
        let outcome = finish(serving, &settings, &lifecycle).await;
        // Messages under way have been ending since the drain began; one that takes longer is sent again by somebody else.
        let ending = outbox.abort_handle();
        drop(tokio::time::timeout(OUTBOX_FAREWELL, outbox).await);
        ending.abort();

        if let Some(traces) = traces {
            traces.end().await;
        }
        drop(tokio::time::timeout(POOL_FAREWELL, database.close()).await);
        for task in background {
            task.abort();
        }
        tracing::info!("ended");
        outcome
    }
}

async fn finish(
    mut serving: tokio::task::JoinHandle<()>,
    settings: &Settings,
    lifecycle: &Lifecycle,
) -> Result<(), Unfinished> {
    let finished = tokio::select! {
        biased;
        _ = &mut serving => true,
        () = tokio::time::sleep(settings.finish) => false,
        () = lifecycle.cut_off() => false,
    };
    if finished && !lifecycle.is_cut() {
        return Ok(());
    }
    lifecycle.cut();
    if !finished {
        drop(serving.await);
    }
    Err(Unfinished)
}

async fn listen(settings: &Settings, port: u16, router: Router, room: Room) -> Result<Listening, StartError> {
    let wanted = SocketAddr::new(settings.host, port);
    let refused = |cause| StartError::Listen { address: wanted, cause };
    let listener = TcpListener::bind(wanted).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok(Listening {
        listener,
        address,
        router,
        room,
    })
}
