use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::{StreamExt, stream};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Interval, MissedTickBehavior, interval},
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{Caller, Via, turns::Turn},
    activity::{
        Activity,
        feed::{self, Ears, Place, Snapshot},
    },
    extract::Id,
    problem::Problem,
    project,
    router::Context,
    telemetry::Listening,
};

/// How long somebody who may no longer listen can go on; sooner when it is the project that says so.
const LOOK: Duration = Duration::from_secs(10);
/// Below the idle limits of load balancers and proxies.
const BREATH: Duration = Duration::from_secs(20);

/// To whom it cannot be told what was missed.
const RESET: &str = "reset";

/// An event of the stream (WHATWG HTML, 9.2.6), by the names of its fields.
#[derive(ToSchema)]
#[expect(dead_code, reason = "axum writes events; this is how they are described")]
pub(crate) struct Told {
    /// To go on behind, by `Last-Event-ID`.
    id: String,
    /// The `action` of what happened, or `reset`.
    event: String,
    /// An `Activity`, as JSON; of a `reset`, an empty object.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// Follow a project
///
/// Server-sent events (WHATWG HTML, 9.2), one for each thing that happens, named by its action. After an interruption,
/// `Last-Event-ID` goes on where it was. Where that cannot be told, because the event is not kept any more or the data has moved to
/// another server since, the first event is a `reset`: load anew what is shown; the stream goes on from there. Owners also hear of
/// invitations and webhooks. Ends when the caller may no longer listen, or when this instance ends.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/events", operation_id = "follow_project", tag = "activity",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("last-event-id" = Option<String>, Header, description = "The id of the last event that was received", pattern = "^[0-9]{1,18}-[0-9]{1,18}$"),
    ),
    responses((status = 200, description = "Events, without an end", body = Told, content_type = "text/event-stream")),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn follow(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = last_event(&headers)?;
    let turn = context.streams.take(caller.user).ok_or(Problem::TooManyAtOnce(
        "you have too many streams of events open here; close one of them first",
    ))?;
    let mut connection = context.database.connection().await?;
    project::role(&mut connection, &caller, project_id).await?;
    // Listening begins before the look back, so that nothing falls between the two.
    let snapshot = Snapshot::now(&mut connection).await?;
    let live = context.feed.listen(project_id, snapshot.horizon());
    let (behind, reset) = match last {
        Some(place) if !feed::is_known(&mut connection, project_id, place).await? => {
            let latest = feed::latest(&mut connection, project_id).await?;
            (latest, Some(Ok(reset(latest))))
        }
        last => (last, None),
    };
    let horizon = snapshot.horizon();
    // What the list of activity has may not be settled: something could still appear before it.
    let (place, known) = match behind {
        Some(place) => (place.min(horizon), Known::Event(place)),
        None => (horizon, Known::Snapshot(snapshot)),
    };
    let missed = feed::following(&mut connection, &[project_id], place, Ears::User(caller.user)).await?;
    drop(connection);

    let counted = context.meters.listening();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.reset();
    let listener = Listener {
        context,
        caller,
        _turn: turn,
        project_id,
        ends_behind_missed: missed.len() == feed::AT_ONCE,
        missed: missed.into(),
        live,
        place,
        known,
        look,
        _counted: counted,
    };
    let events = stream::unfold(listener, async |mut listener| {
        let activity = listener.next().await?;
        Some((Ok::<_, Infallible>(event(&activity)), listener))
    });
    let events = stream::iter(reset).chain(events);
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(BREATH));
    // By itself it would say `no-cache`, which lets a browser keep it.
    Ok(([(header::CACHE_CONTROL, "no-store")], events).into_response())
}

fn last_event(headers: &HeaderMap) -> Result<Option<Place>, Problem> {
    // Empty is what a client has that has not heard of any yet (WHATWG HTML, 9.2.4).
    let Some(value) = headers.get("last-event-id").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let place = value.to_str().ok().and_then(Place::parse);
    place.map(Some).ok_or_else(|| Problem::Malformed {
        detail: "Last-Event-ID is the id of an event of this project".into(),
    })
}

fn event(activity: &Activity) -> Event {
    let named = Event::default().id(&activity.id).event(&activity.action);
    // A row that was JSON a moment ago is JSON again.
    named.json_data(activity).unwrap_or_default()
}

/// Empty, the id makes a client forget the one it has (WHATWG HTML, 9.2.6).
fn reset(latest: Option<Place>) -> Event {
    let id = latest.map(|place| place.to_string()).unwrap_or_default();
    Event::default().id(id).event(RESET).data("{}")
}

struct Listener {
    context: Context,
    caller: Caller,
    _turn: Turn,
    project_id: Uuid,
    /// What happened before the listening began.
    missed: VecDeque<Activity>,
    /// There is more of that than one look brings: the client comes back for it.
    ends_behind_missed: bool,
    live: broadcast::Receiver<Arc<Activity>>,
    /// Of the last event that was passed on.
    place: Place,
    known: Known,
    look: Interval,
    /// Ends with this.
    _counted: Listening,
}

/// What is not passed on, although it comes behind the place where the listening began.
enum Known {
    /// For who did not say where to go on: what was there before the listening began.
    Snapshot(Snapshot),
    /// What somebody goes on behind.
    Event(Place),
}

impl Listener {
    /// None when the stream ends.
    async fn next(&mut self) -> Option<Arc<Activity>> {
        while let Some(activity) = self.missed.pop_front() {
            let place = Place::parse(&activity.id)?;
            self.place = place;
            if !self.knows(place) {
                return Some(Arc::new(activity));
            }
        }
        if self.ends_behind_missed {
            return None;
        }
        loop {
            let received = tokio::select! {
                biased;
                () = self.context.lifecycle.stopping() => return None,
                received = self.live.recv() => received,
                _ = self.look.tick() => {
                    if !self.may_listen().await {
                        return None;
                    }
                    continue;
                }
            };
            let activity = match received {
                Ok(activity) => activity,
                // Told to come back with Last-Event-ID by the end of the stream.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
            };
            let place = Place::parse(&activity.id)?;
            if place <= self.place {
                continue;
            }
            self.place = place;
            if self.knows(place) {
                continue;
            }
            if activity.action.starts_with("member.") && !self.may_listen().await {
                return None;
            }
            // Asked each time: these are rare, and who was an owner a moment ago may be none any more.
            if activity.is_for_owners() {
                match self.owns().await {
                    Ok(true) => {}
                    Ok(false) => continue,
                    // It cannot be told whether it may be passed on; the client comes back for it.
                    Err(_) => return None,
                }
            }
            return Some(activity);
        }
    }

    fn knows(&self, place: Place) -> bool {
        match &self.known {
            Known::Snapshot(snapshot) => snapshot.has(place),
            Known::Event(event) => place == *event,
        }
    }

    async fn owns(&self) -> Result<bool, Problem> {
        let mut connection = self.context.database.connection().await?;
        match project::role(&mut connection, &self.caller, self.project_id).await {
            Ok(role) => Ok(role.owns()),
            Err(Problem::NoSuch(_)) => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    /// Whether the membership and what the caller came by are still good. When the database does not answer, whoever
    /// listens goes on: nothing can be passed on meanwhile.
    async fn may_listen(&self) -> bool {
        let Ok(mut connection) = self.context.database.connection().await else {
            return true;
        };
        let (session, token) = match self.caller.via {
            Via::Session(id) => (Some(id), None),
            Via::Token(id) => (None, Some(id)),
        };
        sqlx::query_scalar(
            "select exists (select from memberships where project_id = $1 and user_id = $2)
                and (exists (select from sessions where id = $3 and user_id = $2 and expires_at > now())
                     or exists (select from api_tokens where id = $4 and user_id = $2 and expires_at > now()))",
        )
        .bind(self.project_id)
        .bind(self.caller.user)
        .bind(session)
        .bind(token)
        .fetch_one(&mut *connection)
        .await
        .unwrap_or(true)
    }
}
