//! Runs the release's migrations as a one-off task, before anything of the release serves users.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    executor::Executor,
    halt::Halt,
    one_off::{How, Patience, run_to_end},
    ports::{Clock, Cloud, Journal, OneOffTask, Probe},
    run::Run,
    spoken,
};

impl<W: Cloud, J: Journal, P: Probe, K: Clock> Executor<'_, W, J, P, K> {
    pub(crate) async fn migrate(&self, run: &mut Run<'_>, command: &[String], timeout: Duration) -> Result<(), Halt> {
        let Some(task_definition) = run.record.task_definition.clone() else {
            return Err(Halt::Migration {
                reason: "no task definition was registered for them".to_owned(),
            });
        };
        let task = OneOffTask {
            task_definition,
            container: self.environment.service.container.clone(),
            command: command.to_vec(),
            variables: BTreeMap::new(),
        };
        let patience = Patience {
            timeout,
            interval: self.interval(),
        };
        let ended = run_to_end(self.cloud, self.clock, &task, patience, run.listener()).await?;
        run.record.schema = spoken::range(&ended.lines);
        run.save(self.journal).await;
        match ended.how {
            How::Exited { code: 0, .. } => Ok(()),
            How::Exited { code, reason } => Err(Halt::Migration {
                reason: format!("the task ended with exit code {code} ({reason})"),
            }),
            How::NeverRan { reason } => Err(Halt::Migration {
                reason: format!("the task never ran: {reason}"),
            }),
            How::TookTooLong => Err(Halt::Migration {
                reason: format!(
                    "they took longer than {} s; the task was told to stop",
                    timeout.as_secs()
                ),
            }),
        }
    }
}
