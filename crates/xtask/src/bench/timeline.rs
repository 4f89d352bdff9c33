//! The platform's own time in a deployment: what the sandbox recorded, less what only a pause held back.

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use crate::{failure::Failure, http};

/// One service deployment, as the sandbox's `/_sandbox/deployments` shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timeline {
    #[serde(with = "time::serde::rfc3339")]
    created: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated: OffsetDateTime,
    stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stage {
    #[serde(with = "time::serde::rfc3339::option")]
    left: Option<OffsetDateTime>,
    held_ms: u64,
}

/// Of the newest deployment, in seconds.
pub(super) fn of_the_newest() -> Result<f64, Failure> {
    let timelines: Vec<Timeline> = http::get("/_sandbox/deployments")?;
    let newest = timelines.iter().max_by_key(|timeline| timeline.created);
    newest
        .map(Timeline::own_seconds)
        .ok_or_else(|| Failure::Story("the sandbox remembers no deployment".to_owned()))
}

impl Timeline {
    /// From the request to the end of the last stage. A pause that waits for an answer is the asker's time, not ECS's.
    fn own_seconds(&self) -> f64 {
        let end = self
            .stages
            .iter()
            .filter_map(|stage| stage.left)
            .max()
            .unwrap_or(self.updated);
        let held: u64 = self.stages.iter().map(|stage| stage.held_ms).sum();
        let held = Duration::milliseconds(i64::try_from(held).unwrap_or(i64::MAX));
        (end - self.created - held).as_seconds_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pause_held_is_not_the_platforms_time() {
        let text = r#"{"region": "r", "created": "2026-01-01T00:00:00Z", "updated": "2026-01-01T00:01:00Z", "stages": [
            {"stage": "SCALE_UP", "direction": "forward", "entered": "2026-01-01T00:00:00Z", "left": "2026-01-01T00:00:04Z", "heldMs": 0},
            {"stage": "POST_TEST_TRAFFIC_SHIFT", "direction": "forward", "entered": "2026-01-01T00:00:04Z", "left": "2026-01-01T00:00:05.5Z", "heldMs": 1500},
            {"stage": "CLEAN_UP", "direction": "forward", "entered": "2026-01-01T00:00:05.5Z", "left": "2026-01-01T00:00:21.5Z", "heldMs": 0}]}"#;
        let timeline: Timeline = serde_json::from_str(text).unwrap();
        assert!((timeline.own_seconds() - 20.0).abs() < 1e-9);
    }
}
