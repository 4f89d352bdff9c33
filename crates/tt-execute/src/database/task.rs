//! The database by way of one-off tasks: the release's own image, in the service's network, with the service's own rights.

use std::{collections::BTreeMap, time::Duration};

use tt_environment::Environment;
use tt_plan::{MigrationOrder, database::Examination};

use super::ports::{Database, Depth, MigrationsEnded, On};
use crate::{
    event::Event,
    one_off::{Ended, How, Patience, run_to_end},
    ports::{Clock, Cloud, OneOffTask, PortError, PortErrorKind},
    spoken,
};

/// The variable that has the service speak to a copy instead of its own database: `host:port`, with the login that it has.
const ENDPOINT: &str = "DATABASE_ENDPOINT";

/// For migrations when the environment says nothing about them.
const TIMEOUT: Duration = Duration::from_mins(30);

/// Counting and reading every page of some terabytes takes its time, and nobody waits for it but the drill.
const LOOK: Duration = Duration::from_hours(6);

/// Reaches databases by one-off tasks.
#[derive(Debug)]
pub struct TaskDatabase<'a, W, K> {
    /// Names the service and how long its migrations may take.
    pub environment: &'a Environment,
    /// ECS.
    pub cloud: &'a W,
    /// Time.
    pub clock: &'a K,
}

impl<W: Cloud, K: Clock> Database for TaskDatabase<'_, W, K> {
    async fn migrate(
        &self,
        order: &MigrationOrder,
        on: &On,
        emit: &(dyn Fn(Event) + Sync),
    ) -> Result<MigrationsEnded, PortError> {
        let migrations = self.environment.migrations.as_ref();
        let command = match migrations {
            Some(migrations) => spoken::migrate(&migrations.command, order),
            None => spoken::migrate(&["migrate".to_owned()], order),
        };
        let ended = self.run(command, on, self.timeout(), emit).await?;
        let (exit_code, reason) = match ended.how {
            How::Exited { code, reason } => (u8::try_from(code).unwrap_or(1), reason),
            How::NeverRan { reason } => (1, format!("the task never ran: {reason}")),
            How::TookTooLong => (
                7,
                format!(
                    "it took longer than {} s, and the task was told to stop",
                    self.timeout().as_secs()
                ),
            ),
        };
        Ok(MigrationsEnded {
            exit_code,
            reason,
            lines: ended.lines,
        })
    }

    async fn examine(&self, depth: Depth, on: &On, emit: &(dyn Fn(Event) + Sync)) -> Result<Examination, PortError> {
        let mut command = vec!["examine".to_owned()];
        if depth == Depth::Glance {
            command.push("--glance".to_owned());
        }
        let silent = |event: Event| {
            // What it prints is the examination itself, for this program to read.
            if !matches!(event, Event::TaskOutput { .. }) {
                emit(event);
            }
        };
        let ended = self.run(command, on, LOOK, &silent).await?;
        let target = on
            .copy
            .as_ref()
            .map_or_else(|| "the database".to_owned(), ToString::to_string);
        let failed = |why: String| PortError {
            action: format!("look into {target} with a one-off task"),
            kind: PortErrorKind::Conflict,
            hint: Some("the task's own words say why; the release has to be one that knows `examine`".to_owned()),
            source: Some(why.into()),
        };
        match &ended.how {
            How::Exited { code: 0, .. } => spoken::examination(&ended.lines).ok_or_else(|| failed(last_words(&ended))),
            How::Exited { code, reason } => Err(failed(format!("exit code {code} ({reason}): {}", last_words(&ended)))),
            How::NeverRan { reason } => Err(failed(format!("the task never ran: {reason}"))),
            How::TookTooLong => Err(failed(format!("it took longer than {} s", LOOK.as_secs()))),
        }
    }
}

impl<W: Cloud, K: Clock> TaskDatabase<'_, W, K> {
    async fn run(
        &self,
        command: Vec<String>,
        on: &On,
        timeout: Duration,
        emit: &(dyn Fn(Event) + Sync),
    ) -> Result<Ended, PortError> {
        let copy = on.copy.as_ref().map(|copy| (ENDPOINT.to_owned(), copy.to_string()));
        let task_definition = match &on.task_definition {
            Some(task_definition) => task_definition.clone(),
            None => self.cloud.observe().await?.users_are_on().task_definition.clone(),
        };
        let task = OneOffTask {
            task_definition,
            container: self.environment.service.container.clone(),
            command,
            variables: BTreeMap::from_iter(copy),
        };
        let patience = Patience {
            timeout,
            interval: (self.environment.aws.minute / 20).max(Duration::from_millis(100)),
        };
        run_to_end(self.cloud, self.clock, &task, patience, emit).await
    }

    fn timeout(&self) -> Duration {
        self.environment
            .migrations
            .as_ref()
            .map_or(TIMEOUT, |migrations| migrations.timeout)
    }
}

fn last_words(ended: &Ended) -> String {
    let from = ended.lines.len().saturating_sub(3);
    if ended.lines.is_empty() {
        return "it printed nothing".to_owned();
    }
    ended.lines[from..].join(" / ")
}
