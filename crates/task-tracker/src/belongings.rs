//! Lists of what belongs to a task or a project: comments, labels, members, ….
//!
//! Such an endpoint says which rows it gives, and who may see them; the rest is the same for all. What has an order of its own
//! (tasks, activity, messages) has a statement of its own.

use axum::Json;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::{
    access::Caller,
    page::{Listing, Page, Which},
    problem::Problem,
    project,
    router::Context,
    task,
};

/// A list of what belongs to one thing.
pub(crate) struct Belongings<T> {
    /// What is in it; a cursor of another list is refused.
    pub(crate) what: &'static str,
    pub(crate) of: Of,
    /// As `Listing::read` takes it.
    pub(crate) sql: &'static str,
    pub(crate) id: fn(&T) -> Uuid,
}

/// What they belong to, and to whom they are shown.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of {
    /// To the members of the task's project.
    Task,
    /// To its members.
    Project,
    /// To its owners.
    OwnProject,
}

impl<T: DeserializeOwned + Send + Unpin + 'static> Belongings<T> {
    /// Of the task or project `id`.
    pub(crate) async fn page(
        &self,
        context: &Context,
        caller: &Caller,
        id: Uuid,
        which: &Which,
    ) -> Result<Json<Page<T>>, Problem> {
        let listing = Listing::of(id, self.what, which)?;
        let page = listing.read(&context.database, caller, self.sql, self.id).await?;
        if page.is_empty() {
            // Somebody else's task is no task without comments.
            let mut connection = context.database.connection().await?;
            match self.of {
                Of::Task => task::role(&mut connection, caller, id).await.map(|_| ())?,
                Of::Project => project::role(&mut connection, caller, id).await.map(|_| ())?,
                Of::OwnProject => project::require_owner(&mut connection, caller, id).await?,
            }
        }
        Ok(Json(page))
    }
}

/// The statement for `Of::Task`: rows with a `task_id`, those of which `$kept` is true if it is given.
macro_rules! of_a_task {
    ($table:literal, $json:expr $(, $kept:literal)?) => {
        concat!(
            "select ",
            $json,
            " from ",
            $table,
            " where task_id = $1 and id > $2",
            $(" and ", $kept,)?
            " and exists (select from tasks join memberships on memberships.project_id = tasks.project_id
                          where tasks.id = $1 and memberships.user_id = $4)
              order by id limit $3"
        )
    };
}
pub(crate) use of_a_task;

/// The statement for `Of::Project`: rows with a `project_id`, those of which `$kept` is true if it is given.
macro_rules! of_a_project {
    ($table:literal, $json:expr $(, $kept:literal)?) => {
        concat!(
            "select ",
            $json,
            " from ",
            $table,
            " where project_id = $1 and id > $2",
            $(" and ", $kept,)?
            " and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $4)
              order by id limit $3"
        )
    };
}
pub(crate) use of_a_project;

/// The statement for `Of::OwnProject`: rows with a `project_id`.
macro_rules! of_an_own_project {
    ($table:literal, $json:expr) => {
        concat!(
            "select ",
            $json,
            " from ",
            $table,
            " where project_id = $1 and id > $2
              and exists (select from memberships
                          where memberships.project_id = $1 and memberships.user_id = $4 and memberships.role = 'owner')
              order by id limit $3"
        )
    };
}
pub(crate) use of_an_own_project;
