//! What happened in a project: the events that every change leaves behind, for its members to read and to follow.

mod feed;
mod follow;
pub(crate) mod history;
mod list;

pub(crate) use feed::Feed;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::router::Context;

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(follow::follow))
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Activity {
    /// Where following goes on, as `Last-Event-ID`.
    id: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The user, unless it was the service itself.
    actor_id: Option<Uuid>,
    /// What: a noun and a verb in the past tense, such as `task.moved`.
    #[schema(example = "task.moved")]
    action: String,
    project_id: Uuid,
    /// The task, label, member, … that it happened to.
    target_id: Option<Uuid>,
    /// The fields that changed, as they were; all of them when it was deleted, null when it was made.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// The fields that changed, as they are; all of them when it was made, null when it was deleted.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
}

/// Nouns of which only owners hear: only they see what there is of them.
const OF_OWNERS: [&str; 2] = ["invitation.", "webhook."];

impl Activity {
    fn is_for_owners(&self) -> bool {
        OF_OWNERS.iter().any(|noun| self.action.starts_with(noun))
    }
}

/// The predicate that user `$user` hears of a row of events in a project of which this user is a member; the same nouns as in
/// `OF_OWNERS`.
macro_rules! heard_by {
    ($user:literal) => {
        concat!(
            "((events.action not like 'invitation.%' and events.action not like 'webhook.%') or exists (
                select from memberships as owning
                where owning.project_id = events.project_id and owning.user_id = ",
            $user,
            " and owning.role = 'owner'))"
        )
    };
}
use heard_by;

/// An `Activity` out of a row of events.
macro_rules! json {
    () => {
        "jsonb_build_object('id', events.tx::text || '-' || events.id, 'at', events.at, 'actor_id', events.actor_id,
                            'action', events.action, 'project_id', events.project_id, 'target_id', events.target_id,
                            'before', events.before, 'after', events.after)"
    };
}
pub(crate) use json;
