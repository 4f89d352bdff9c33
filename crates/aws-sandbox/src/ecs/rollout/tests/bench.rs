//! A deployment to which things happen, one to a line, and the log of what it made of them.

use std::fmt::Write as _;
use std::time::Duration;

use time::OffsetDateTime;

use super::super::*;

pub(super) const T0: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

pub(super) fn plan(strategy: Strategy) -> Plan {
    Plan {
        deployment_id: "d".to_owned(),
        strategy,
        pauses: Vec::new(),
        bake: Duration::from_secs(10),
        breaker: Breaker::On {
            threshold: Threshold::DEFAULT,
            then: OnFailure::RollBack,
            reset_on_healthy: true,
        },
        alarms: AlarmWatch::On {
            names: vec!["errors".to_owned()],
            ignored: Vec::new(),
            then: OnFailure::RollBack,
        },
        source: SourceScale::Desired,
    }
}

pub(super) fn pausing(strategy: Strategy, stage: Stage) -> Plan {
    let pause = PauseHook {
        stages: vec![stage],
        timeout: Duration::from_mins(1),
        on_timeout: HookAction::Rollback,
    };
    Plan {
        pauses: vec![pause],
        ..plan(strategy)
    }
}

/// A service of two tasks whose tasks do what is wanted of them when told to.
pub(super) struct Bench {
    pub(super) rollout: Rollout,
    pub(super) facts: Facts,
    pub(super) log: String,
}

impl Bench {
    pub(super) fn new(plan: Plan, start: Start) -> Self {
        let all = Counts {
            active: 2,
            healthy: 2,
            present: 2,
        };
        let source = if plan.source == SourceScale::None {
            Counts::default()
        } else {
            all
        };
        let others = if start == Start::Reconcile {
            all
        } else {
            Counts::default()
        };
        let facts = Facts {
            now: T0,
            desired: 2,
            source,
            target: Counts::default(),
            others,
            source_failures: 0,
            firing: Vec::new(),
        };
        let (rollout, effects) = Rollout::start(plan, start, T0);
        let mut bench = Self {
            rollout,
            facts,
            log: String::new(),
        };
        bench.note("start", &effects);
        bench
    }

    pub(super) fn note(&mut self, what: &str, effects: &[Effect]) {
        let phase = match &self.rollout.phase {
            Phase::Forward { stage, .. } => stage.to_string(),
            Phase::Rolling { .. } => "ROLLING".to_owned(),
            Phase::Back { undo, .. } => format!("BACK {undo:?}"),
            Phase::Ended { end, .. } => match end {
                End::Successful => "SUCCESSFUL".to_owned(),
                End::Stopped { .. } => "STOPPED".to_owned(),
                End::RolledBack { .. } => "ROLLED BACK".to_owned(),
                End::RollbackFailed { .. } => "ROLLBACK FAILED".to_owned(),
            },
        };
        let Wanted { source, target, others } = self.rollout.wanted(&self.facts);
        let waiting = if self.rollout.hooks.iter().any(Hook::is_waiting) {
            " paused"
        } else {
            ""
        };
        let others = if others == 0 {
            String::new()
        } else {
            format!(" others={others}")
        };
        let effects: Vec<_> = effects.iter().map(|effect| format!("{effect:?}")).collect();
        writeln!(
            self.log,
            "{what}: {phase}{waiting} source={source} target={target}{others} {}",
            effects.join(" ")
        )
        .unwrap();
    }

    pub(super) fn run(&mut self, script: &str) -> &mut Self {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let effects = self.happen(line);
            self.note(line, &effects);
        }
        self
    }

    pub(super) fn happen(&mut self, line: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["tick"] => {}
            ["settle"] => self.settle(),
            ["drain"] => (self.facts.source.active, self.facts.source.healthy) = (0, 0),
            ["wait", seconds] => self.facts.now += Duration::from_secs(seconds.parse().unwrap()),
            ["continue"] => effects.extend(self.answer(HookAction::Continue)),
            ["refuse"] => effects.extend(self.answer(HookAction::Rollback)),
            ["stop"] => effects.extend(self.rollout.stop(Stop::Rollback, self.facts.now).unwrap()),
            ["abort"] => effects.extend(self.rollout.stop(Stop::Abort, self.facts.now).unwrap()),
            ["fail"] => {
                self.rollout.task_failed();
                self.facts.target.healthy = self.facts.target.healthy.saturating_sub(1);
            }
            ["alarm"] => self.facts.firing = vec!["errors".to_owned()],
            ref other => panic!("no such line: {other:?}"),
        }
        effects.extend(self.rollout.advance(&self.facts));
        effects
    }

    pub(super) fn answer(&mut self, action: HookAction) -> Vec<Effect> {
        let id = self
            .rollout
            .hooks
            .iter()
            .find(|hook| hook.is_waiting())
            .unwrap()
            .id
            .clone();
        self.rollout.answer(&id, action, self.facts.now).unwrap()
    }

    /// Every task that is wanted becomes healthy, every other one is gone.
    pub(super) fn settle(&mut self) {
        let wanted = self.rollout.wanted(&self.facts);
        let all = |count| Counts {
            active: count,
            healthy: count,
            present: count,
        };
        (self.facts.source, self.facts.target, self.facts.others) =
            (all(wanted.source), all(wanted.target), all(wanted.others));
    }
}
