//! One run under way: the plan, what it has learnt so far, and the record that says so.

use std::time::Duration;

use time::OffsetDateTime;
use tt_environment::Environment;
use tt_plan::{
    Arn, Holder, LifecycleStage, Outcome, Plan, RECORD_VERSION, Record, RecordId, Share, Step, StepTiming, TargetGroup,
};

use crate::{
    event::Event,
    ports::{Journal, Progress},
};

/// What a run knows.
pub(crate) struct Run<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) record: Record,
    /// The task definition of a deployment that ECS was asked to start and has not shown yet.
    pub(crate) starting: Option<Arn>,
    emit: &'a (dyn Fn(Event) + Sync),
    said: Said,
}

/// What was said last, so that only changes are said again.
#[derive(Default)]
struct Said {
    stage: Option<LifecycleStage>,
    share: Option<Share>,
    targets: Option<TargetGroup>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        environment: &Environment,
        plan: &'a Plan,
        holder: &Holder,
        token: u64,
        now: OffsetDateTime,
        emit: &'a (dyn Fn(Event) + Sync),
    ) -> Self {
        let record = Record {
            version: RECORD_VERSION,
            id: RecordId::new(now, token),
            environment: environment.name.clone(),
            command: plan.command,
            who: holder.clone(),
            release: plan.brings.clone(),
            image: plan.image.clone(),
            commit: plan.commit.clone(),
            task_definition: plan.task_definition.clone(),
            previous: Some(plan.previous.clone()),
            deployment: plan.resumes.clone(),
            plan: plan.steps.clone(),
            timings: Vec::new(),
            schema: None,
            schema_changes: Vec::new(),
            outcome: Outcome::Running,
            stopped_at: None,
            token,
            started_at: now,
            ended_at: None,
        };
        Self {
            plan,
            record,
            starting: None,
            emit,
            said: Said::default(),
        }
    }

    pub(crate) fn emit(&self, event: Event) {
        (self.emit)(event);
    }

    /// Where events go.
    pub(crate) fn listener(&self) -> &'a (dyn Fn(Event) + Sync) {
        self.emit
    }

    /// Says what has changed since the last look.
    pub(crate) fn say_progress(&mut self, progress: &Progress) {
        let stage = progress.deployment.stage;
        if let Some(stage) = stage
            && self.said.stage != Some(stage)
        {
            self.said.stage = Some(stage);
            self.emit(Event::Stage { stage });
        }
        if self.said.share != Some(progress.live_share) {
            self.said.share = Some(progress.live_share);
            self.emit(Event::Traffic {
                share: progress.live_share,
            });
        }
        if let Some(group) = &progress.targets
            && self.said.targets.as_ref() != Some(group)
        {
            self.said.targets = Some(group.clone());
            self.emit(Event::Targets { group: group.clone() });
        }
    }

    pub(crate) fn finished(&mut self, step: &Step, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.record.timings.push(StepTiming {
            step: step.name().to_owned(),
            millis,
        });
    }

    /// Remembers the record; users come before papers, so a failure is said and the run goes on.
    pub(crate) async fn save(&self, journal: &impl Journal) {
        if let Err(error) = journal.put(&self.record).await {
            let cause = std::error::Error::source(&error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            self.emit(Event::RecordLost {
                reason: format!("{error}{cause}"),
            });
        }
    }

    /// The deployment that this run started or attached to.
    pub(crate) fn deployment(&self) -> Option<&Arn> {
        self.record.deployment.as_ref()
    }
}
