//! Runs the release's migrations as a one-off task, before anything of the release serves users.

use std::time::Duration;

use crate::{
    event::{Event, Holdup},
    executor::Executor,
    halt::Halt,
    ports::{Clock, Cloud, Journal, OneOff, Probe, StoppedTask, TaskArn},
    run::Run,
    wait::with_cause,
};

impl<W: Cloud, J: Journal, P: Probe, K: Clock> Executor<'_, W, J, P, K> {
    pub(crate) async fn migrate(&self, run: &mut Run<'_>, command: &[String], timeout: Duration) -> Result<(), Halt> {
        let Some(task_definition) = run.record.task_definition.clone() else {
            return Err(Halt::Migration {
                reason: "no task definition was registered for them".to_owned(),
            });
        };
        let task = self
            .cloud
            .run_task(&task_definition, &self.environment.service.container, command)
            .await?;
        let stopped = self.ended(run, &task, timeout).await?;
        run.emit(Event::TaskOutput {
            lines: stopped.last_lines,
        });
        match stopped.exit_code {
            Some(0) => Ok(()),
            Some(code) => Err(Halt::Migration {
                reason: format!("the task ended with exit code {code} ({})", stopped.reason),
            }),
            // Between two looks a task can go from PENDING to STOPPED without its container ever having run.
            None => Err(Halt::Migration {
                reason: format!("the task never ran: {}", stopped.reason),
            }),
        }
    }

    async fn ended(&self, run: &Run<'_>, task: &TaskArn, timeout: Duration) -> Result<StoppedTask, Halt> {
        let began = self.clock.now();
        loop {
            let waited = Duration::try_from(self.clock.now() - began).unwrap_or_default();
            match self.cloud.one_off(task, &self.environment.service.container).await {
                Ok(OneOff::Stopped(stopped)) => return Ok(stopped),
                Ok(OneOff::Running { status }) => run.emit(Event::Waiting {
                    holdup: Holdup::Task { status },
                    waited,
                    at_most: timeout,
                }),
                Err(error) if error.kind.passes() => run.emit(Event::Retrying {
                    what: with_cause(&error),
                }),
                Err(error) => return Err(error.into()),
            }
            if waited >= timeout {
                self.cloud
                    .stop_task(task, "tt-ops: the migrations took longer than the environment allows")
                    .await?;
                return Err(Halt::Migration {
                    reason: format!(
                        "they took longer than {} s; the task was told to stop",
                        timeout.as_secs()
                    ),
                });
            }
            self.clock.sleep(self.interval()).await;
        }
    }
}
