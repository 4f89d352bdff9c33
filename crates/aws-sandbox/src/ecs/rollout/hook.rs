//! Pauses: a deployment stops at a stage until somebody answers or the pause times out.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::Rollout;
use super::stage::Stage;

/// A pause that was met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hook {
    /// Fresh at every meeting, so that a late answer cannot release the next step.
    pub(crate) id: String,
    pub(crate) stage: Stage,
    pub(crate) status: HookStatus,
    pub(crate) created: OffsetDateTime,
    pub(crate) answered: Option<OffsetDateTime>,
    pub(crate) expires_at: OffsetDateTime,
    pub(crate) on_timeout: HookAction,
}

/// Where a pause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum HookStatus {
    AwaitingAction,
    Succeeded,
    Failed,
    TimedOut,
}

/// An answer to a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum HookAction {
    Continue,
    Rollback,
}

/// The answer does not fit any pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error("the service deployment has no lifecycle hook of this id")]
    NoSuchHook,
    #[error("the lifecycle hook is not awaiting an action")]
    NotWaiting,
}

impl Hook {
    pub(crate) fn is_waiting(&self) -> bool {
        self.status == HookStatus::AwaitingAction
    }

    pub(super) fn answer(&mut self, action: HookAction, now: OffsetDateTime) -> Result<(), AnswerError> {
        if !self.is_waiting() {
            return Err(AnswerError::NotWaiting);
        }
        self.answered = Some(now);
        self.status = match action {
            HookAction::Continue => HookStatus::Succeeded,
            HookAction::Rollback => HookStatus::Failed,
        };
        Ok(())
    }
}

impl Rollout {
    pub(super) fn raise_hooks(&mut self, stage: Stage, now: OffsetDateTime) {
        for pause in self.plan.pauses.iter().filter(|pause| pause.stages.contains(&stage)) {
            let id = hook_id(&self.plan.deployment_id, self.hooks.len());
            let (expires_at, on_timeout) = (now + pause.timeout, pause.on_timeout);
            self.hooks.push(Hook {
                id,
                stage,
                status: HookStatus::AwaitingAction,
                created: now,
                answered: None,
                expires_at,
                on_timeout,
            });
        }
    }

    /// Times out what nobody answered; gives the stage whose pause asks for a rollback then.
    pub(super) fn expire_hooks(&mut self, now: OffsetDateTime) -> Option<Stage> {
        let mut rollback = None;
        for hook in self
            .hooks
            .iter_mut()
            .filter(|hook| hook.is_waiting() && hook.expires_at <= now)
        {
            hook.status = HookStatus::TimedOut;
            hook.answered = Some(now);
            if hook.on_timeout == HookAction::Rollback {
                rollback = Some(hook.stage);
            }
        }
        rollback
    }

    /// A deployment that goes back or ends waits for nobody.
    pub(super) fn close_hooks(&mut self, now: OffsetDateTime) {
        for hook in self.hooks.iter_mut().filter(|hook| hook.is_waiting()) {
            hook.status = HookStatus::Failed;
            hook.answered = Some(now);
        }
    }
}

/// The machine is pure, so an id is derived: no other deployment and no other meeting has it.
fn hook_id(deployment: &str, meeting: usize) -> String {
    let hash = hex::encode(Sha256::digest(format!("{deployment}#{meeting}")));
    hash.get(..32).unwrap_or(&hash).to_owned()
}
