//! Faults on demand: what a caller asked to go wrong, and how often.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// One fault, e.g. `{"on": "ecs:UpdateService", "times": 1, "effect": {"throttle": true}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// `service:Operation`; `service:*` is every operation of a service and `*` is everything.
    pub(crate) on: String,
    /// How many calls it hits; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<u32>,
    pub(crate) effect: Effect,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Effect {
    /// Refused for too many requests.
    Throttle(#[serde(deserialize_with = "only_true")] bool),
    /// Refused with this code and status.
    Error { code: String, status: u16 },
    /// Answered later.
    DelayMs(u64),
    /// Carried out, but the answer never arrives.
    DropResponse(#[serde(deserialize_with = "only_true")] bool),
    /// Carried out, but the connection breaks after so many bytes of the answer's body.
    CutAfterBytes(usize),
    /// Refused for credentials that are over.
    ExpiredToken(#[serde(deserialize_with = "only_true")] bool),
}

/// The faults in force.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    pub(crate) fn add(&self, faults: Vec<Fault>) {
        self.lock().extend(faults);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// The first fault that hits this call. One that has hit often enough is gone.
    pub(crate) fn hit(&self, name: &str) -> Option<Effect> {
        let mut faults = self.lock();
        let position = faults.iter().position(|fault| fault.matches(name))?;
        let fault = faults.get_mut(position)?;
        let effect = fault.effect.clone();
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
        }
        faults.retain(|fault| fault.times != Some(0));
        Some(effect)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    fn matches(&self, name: &str) -> bool {
        match self.on.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => self.on == name,
        }
    }
}

/// `{"throttle": false}` would say nothing, so it is refused rather than ignored.
fn only_true<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    if bool::deserialize(deserializer)? {
        Ok(true)
    } else {
        Err(serde::de::Error::custom("only true makes sense here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_as_often_as_it_says() {
        let text = r#"[{"on":"ecs:UpdateService","times":2,"effect":{"throttle":true}},{"on":"s3:*","effect":{"delay_ms":5}}]"#;
        let faults = Faults::default();
        faults.add(serde_json::from_str(text).unwrap());
        assert_eq!(faults.hit("ecs:DescribeServices"), None);
        assert_eq!(faults.hit("ecs:UpdateService"), Some(Effect::Throttle(true)));
        assert_eq!(faults.hit("ecs:UpdateService"), Some(Effect::Throttle(true)));
        assert_eq!(faults.hit("ecs:UpdateService"), None);
        assert_eq!(faults.hit("s3:PutObject"), Some(Effect::DelayMs(5)));
    }

    #[test]
    fn a_fault_that_says_nothing_is_refused() {
        for text in [
            r#"{"on":"*","effect":{"throttle":false}}"#,
            r#"{"on":"*","effect":{"explode":true}}"#,
            r#"{"on":"*","time":1,"effect":{"throttle":true}}"#,
        ] {
            assert!(serde_json::from_str::<Fault>(text).is_err(), "{text}");
        }
    }
}
