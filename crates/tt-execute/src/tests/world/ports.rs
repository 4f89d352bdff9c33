//! The ports, as the simulated account answers them.

use std::time::Duration;

use time::OffsetDateTime;
use tt_environment::{ContainerName, Strategy};
use tt_plan::{
    Arn, DeploymentStatus, Lease, LifecycleStage as Stage, Observed, Record, Revision, RunningTasks, Sample, Share,
};

use super::{World, ecs::Sim, fixtures::revision};
use crate::{
    Answer, Clock, Cloud, Evidence, Journal, OneOff, OneOffTask, PortError, PortErrorKind, Probe, Progress,
    Registration, Start, StoppedTask, TaskArn, TaskLines, Version,
};

fn missing(action: &str) -> PortError {
    PortError {
        action: action.to_owned(),
        kind: PortErrorKind::NotFound,
        hint: None,
        source: None,
    }
}

impl Cloud for World {
    async fn observe(&self) -> Result<Observed, PortError> {
        Ok(self.state().observed())
    }

    async fn register(&self, _registration: &Registration) -> Result<Revision, PortError> {
        self.state().registered = 2;
        Ok(revision(2))
    }

    async fn run_task(&self, task: &OneOffTask) -> Result<TaskArn, PortError> {
        self.state().ran.push(task.clone());
        Ok(TaskArn(task.task_definition.clone()))
    }

    /// Two lines at the first look, and the rest at the next: as a log arrives.
    async fn output(&self, _task: &TaskArn, _order: &OneOffTask, after: Option<&str>) -> Result<TaskLines, PortError> {
        let read: usize = after.map_or(0, |after| after.parse().unwrap());
        let lines = &self.state().script.says;
        let until = if read == 0 { lines.len().min(2) } else { lines.len() };
        Ok(TaskLines {
            lines: lines[read..until].iter().map(|line| (*line).to_owned()).collect(),
            next: Some(until.to_string()),
        })
    }

    async fn running_tasks(&self) -> Result<Vec<RunningTasks>, PortError> {
        Ok(Vec::new())
    }

    async fn one_off(&self, task: &TaskArn, _container: &ContainerName) -> Result<OneOff, PortError> {
        let exit_code = self.state().script.migration;
        Ok(OneOff::Stopped(StoppedTask {
            task: task.0.clone(),
            exit_code,
            reason: "Essential container in task exited".to_owned(),
            last_lines: Vec::new(),
        }))
    }

    async fn stop_task(&self, _task: &TaskArn, _reason: &str) -> Result<(), PortError> {
        Ok(())
    }

    async fn start(&self, start: &Start) -> Result<Arn, PortError> {
        let mut state = self.state();
        let minute = Duration::from_mins(1);
        let (schedule, step_bake) = match start.strategy {
            Strategy::AllAtOnce => (vec![Share::ALL], Duration::ZERO),
            Strategy::Linear { percent, bake } | Strategy::Canary { percent, bake } => {
                (vec![Share::from(percent), Share::ALL], bake.lasting(minute))
            }
        };
        let to = start
            .task_definition
            .as_str()
            .rsplit(':')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let sim = Sim {
            to,
            stage: Stage::ReconcileService,
            entered: state.now(),
            share: Share::NONE,
            schedule,
            status: DeploymentStatus::InProgress,
            pauses: start.pauses.clone(),
            answered: false,
            bake: start.bake.lasting(minute),
            step_bake,
            hook: 0,
        };
        let arn = state.deployment(&sim).arn;
        state.deployment = Some(sim);
        Ok(arn)
    }

    async fn progress(&self, _deployment: &Arn) -> Result<Progress, PortError> {
        let mut state = self.state();
        state.reads += 1;
        if state
            .script
            .flaky_every
            .is_some_and(|every| state.reads.is_multiple_of(every))
        {
            return Err(PortError {
                action: "describe".to_owned(),
                kind: PortErrorKind::Throttled,
                hint: None,
                source: None,
            });
        }
        state.advance();
        let sim = state.deployment.clone().ok_or_else(|| missing("describe"))?;
        Ok(Progress {
            deployment: state.deployment(&sim),
            targets: None,
            live_share: sim.share,
        })
    }

    async fn answer(&self, _deployment: &Arn, hook: &str, answer: Answer) -> Result<(), PortError> {
        let mut state = self.state();
        state.answers += 1;
        let sim = state.deployment.as_mut().ok_or_else(|| missing("answer"))?;
        assert_eq!(hook, format!("hook-{}", sim.hook), "an answer to a pause that is over");
        match answer {
            Answer::Continue => sim.answered = true,
            Answer::Rollback => {
                sim.status = DeploymentStatus::RollingBack {
                    reason: "pause answered with ROLLBACK".to_owned(),
                }
            }
        }
        Ok(())
    }

    async fn revert(&self, _deployment: &Arn) -> Result<(), PortError> {
        let mut state = self.state();
        let sim = state.deployment.as_mut().ok_or_else(|| missing("revert"))?;
        sim.status = DeploymentStatus::RollingBack {
            reason: "stop requested".to_owned(),
        };
        Ok(())
    }

    async fn measure(&self, _target_group: &Arn, _window: Duration, _period: Duration) -> Result<Sample, PortError> {
        let state = self.state();
        let share = state.deployment.as_ref().map_or(Share::NONE, |sim| sim.share);
        Ok((state.script.sample)(share))
    }

    async fn evidence(&self, _deployment: &Arn) -> Evidence {
        Evidence {
            events: vec!["(service web) has stopped 1 running task".to_owned()],
            ..Evidence::default()
        }
    }
}

impl Journal for World {
    async fn put(&self, record: &Record) -> Result<(), PortError> {
        self.state().records.insert(record.id.to_string(), record.clone());
        Ok(())
    }

    async fn lease(&self) -> Result<Option<(Lease, Version)>, PortError> {
        Ok(self
            .state()
            .lease
            .clone()
            .map(|(lease, version)| (lease, Version(version.to_string()))))
    }

    async fn swap(&self, expected: Option<&Version>, lease: &Lease) -> Result<Option<Version>, PortError> {
        let mut state = self.state();
        let current = state.lease.as_ref().map(|(_, version)| Version(version.to_string()));
        if current.as_ref() != expected {
            return Ok(None);
        }
        let version = state.lease.as_ref().map_or(1, |(_, version)| version + 1);
        state.lease = Some((lease.clone(), version));
        if std::mem::take(&mut state.script.loses_lock_answer) {
            return Ok(None);
        }
        Ok(Some(Version(version.to_string())))
    }
}

impl Probe for World {
    async fn get(&self, _url: &str, _timeout: Duration) -> Result<u16, PortError> {
        Ok(self.state().script.smoke_status)
    }
}

impl Clock for World {
    fn now(&self) -> OffsetDateTime {
        self.state().now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
