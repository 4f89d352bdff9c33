//! Holds the new tasks against the limits before they get more traffic.

use std::time::Duration;

use time::OffsetDateTime;
use tt_environment::AfterInconclusive;
use tt_plan::{Arn, Gap, Share, Verdict, judge};

use crate::{
    event::{Event, Holdup},
    executor::Executor,
    halt::{Halt, breach_reason},
    ports::{Clock, Cloud, Journal, Probe},
    run::Run,
    steps::shift::Hold,
    wait::with_cause,
};

impl<W: Cloud, J: Journal, P: Probe, K: Clock> Executor<'_, W, J, P, K> {
    /// Measures from the moment of the step on. A breach ends it at once; a pass counts only when ECS waits for the answer.
    pub(crate) async fn analyse(&self, run: &mut Run<'_>, at: Share) -> Result<(), Halt> {
        let began = self.clock.now();
        let limit = self.at_most(24 * 60);
        let settings = &self.environment.analysis;
        let mut waiting_since: Option<OffsetDateTime> = None;
        let mut measured: Option<OffsetDateTime> = None;
        loop {
            let (target_group, waits) = match self.holds_at(run, at).await {
                Ok(Hold::Past) => return Ok(()),
                Ok(Hold::Runs { target_group }) => (Some(target_group), false),
                Ok(Hold::Waits { target_group }) => (Some(target_group), true),
                Ok(Hold::NotYet) => (None, false),
                Err(detour) => return Err(self.detoured(run, detour, "analysing", limit).await),
            };
            let now = self.clock.now();
            let newly_waits = waits && waiting_since.is_none();
            if waits {
                waiting_since.get_or_insert(now);
            }
            // ECS is asked often, CloudWatch at the environment's pace, and at once when ECS begins to wait for the answer.
            if newly_waits || measured.is_none_or(|last| elapsed(last, now) >= settings.interval) {
                measured = Some(now);
                let patience_over =
                    waiting_since.is_some_and(|since| elapsed(since, now) >= settings.inconclusive.wait);
                match self.verdict(run, target_group.as_ref(), began).await {
                    Verdict::Failed { breach } => return Err(self.taken_back(run, breach_reason(&breach)).await),
                    Verdict::Passed if waits => return Ok(()),
                    Verdict::Inconclusive { gap } if patience_over => return Err(self.inconclusive(run, gap).await),
                    Verdict::Passed | Verdict::Inconclusive { .. } => {}
                }
            }
            run.emit(Event::Waiting {
                holdup: Holdup::Evidence,
                waited: elapsed(began, now),
                at_most: limit,
            });
            self.clock.sleep(self.interval()).await;
        }
    }

    /// Judges what the target group did since `began`, over the window at most.
    pub(crate) async fn verdict(&self, run: &Run<'_>, target_group: Option<&Arn>, began: OffsetDateTime) -> Verdict {
        let limits = &self.environment.analysis;
        let Some(target_group) = target_group else {
            return Verdict::Inconclusive { gap: Gap::NoData };
        };
        let window = elapsed(began, self.clock.now()).min(limits.window);
        match self.cloud.measure(target_group, window, limits.period).await {
            Ok(sample) => {
                let verdict = judge(limits, &sample);
                run.emit(Event::Measured {
                    sample,
                    verdict: verdict.clone(),
                });
                verdict
            }
            // Metrics that cannot be read are no data, and no data never passes.
            Err(error) => {
                run.emit(Event::Retrying {
                    what: with_cause(&error),
                });
                Verdict::Inconclusive { gap: Gap::NoData }
            }
        }
    }

    async fn inconclusive(&self, run: &mut Run<'_>, gap: Gap) -> Halt {
        match self.environment.analysis.inconclusive.then {
            AfterInconclusive::Pause => Halt::Paused { gap },
            AfterInconclusive::Rollback => {
                self.taken_back(run, format!("the analysis could not tell: {}", gap_reason(&gap)))
                    .await
            }
        }
    }
}

fn gap_reason(gap: &Gap) -> String {
    match gap {
        Gap::NoData => "CloudWatch has no data".to_owned(),
        Gap::TooFewRequests { requests, needed } => format!("{requests} requests, {needed} are needed"),
    }
}

pub(crate) fn elapsed(since: OffsetDateTime, now: OffsetDateTime) -> Duration {
    Duration::try_from(now - since).unwrap_or_default()
}
