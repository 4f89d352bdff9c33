//! Health checks of containers: a command inside, again and again (Amazon ECS API Reference, `HealthCheck`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_ecs::types::ContainerDefinition;

use super::Engine;
use super::launch::Running;
use crate::ecs::world::Health;
use crate::runtime::Probe;

/// A health check with its defaults filled in. Its seconds stay seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    command: Vec<String>,
    interval: Duration,
    timeout: Duration,
    retries: u32,
    start_period: Duration,
}

impl Check {
    /// Nothing when the definition has none: Amazon ECS does not look at what the image says.
    pub(super) fn of(definition: &ContainerDefinition) -> Option<Self> {
        let check = definition.health_check()?;
        let seconds = |given: Option<i32>, default: u64| {
            Duration::from_secs(given.and_then(|given| u64::try_from(given).ok()).unwrap_or(default))
        };
        Some(Self {
            command: command(check.command())?,
            interval: seconds(check.interval(), 30),
            timeout: seconds(check.timeout(), 5),
            retries: check
                .retries()
                .and_then(|retries| u32::try_from(retries).ok())
                .unwrap_or(3),
            start_period: seconds(check.start_period(), 0),
        })
    }
}

/// `CMD` and its arguments, or `CMD-SHELL` and a line for the image's shell; without either word it is the arguments.
fn command(given: &[String]) -> Option<Vec<String>> {
    let (first, rest) = given.split_first()?;
    Some(match first.as_str() {
        "NONE" => return None,
        "CMD" => rest.to_vec(),
        "CMD-SHELL" => ["/bin/sh", "-c"]
            .into_iter()
            .map(str::to_owned)
            .chain([rest.join(" ")])
            .collect(),
        _ => given.to_vec(),
    })
}

/// What the checks so far add up to. Pure.
#[derive(Debug)]
struct Course {
    health: Health,
    failures: u32,
}

impl Course {
    fn begin() -> Self {
        Self {
            health: Health::Unknown,
            failures: 0,
        }
    }

    /// A failure within the start period counts only once the container has been healthy.
    fn take(&mut self, check: &Check, passed: bool, age: Duration) -> Health {
        if passed {
            self.failures = 0;
            self.health = Health::Healthy;
        } else if self.health != Health::Unknown || age >= check.start_period {
            self.failures += 1;
            if self.failures >= check.retries {
                self.health = Health::Unhealthy;
            }
        }
        self.health
    }
}

impl Engine {
    /// Checks every container that wants it, until it ends.
    pub(super) fn check_health(self: &Arc<Self>, region: &str, task: &str, running: &[Running]) {
        for container in running {
            let Some((check, probe)) = container.check.clone() else {
                continue;
            };
            let (engine, region, task) = (Arc::clone(self), region.to_owned(), task.to_owned());
            let (name, process) = (container.name.clone(), container.process.clone());
            engine.note_health(&region, &task, &name, Health::Unknown);
            tokio::spawn(async move {
                let checking = engine.check_forever(&region, &task, &name, &check, &probe);
                tokio::select! {
                    () = checking => {}
                    _ = process.wait() => {}
                }
            });
        }
    }

    async fn check_forever(&self, region: &str, task: &str, container: &str, check: &Check, probe: &Probe) {
        let started = Instant::now();
        let mut course = Course::begin();
        loop {
            tokio::time::sleep(check.interval).await;
            let passed = probe.passes(&self.plane.runtime, &check.command, check.timeout).await;
            let health = course.take(check, passed, started.elapsed());
            self.note_health(region, task, container, health);
        }
    }

    fn note_health(&self, region: &str, task: &str, container: &str, health: Health) {
        self.change_task(region, task, |task| {
            let known = task.containers.iter_mut().find(|known| known.name == container);
            if let Some(known) = known.filter(|known| known.health != Some(health)) {
                known.health = Some(health);
                task.version += 1;
            }
        });
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::HealthCheck;

    use super::*;

    fn check(retries: u32, start_period: u64) -> Check {
        Check {
            command: vec![String::from("/app/health")],
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            retries,
            start_period: Duration::from_secs(start_period),
        }
    }

    #[test]
    fn a_definition_has_the_defaults_of_the_reference() {
        let given = HealthCheck::builder()
            .command("CMD-SHELL")
            .command("curl -f http://localhost/ || exit 1");
        let definition = ContainerDefinition::builder()
            .health_check(given.build().unwrap())
            .build();
        assert_eq!(
            Check::of(&definition),
            Some(Check {
                command: ["/bin/sh", "-c", "curl -f http://localhost/ || exit 1"]
                    .map(str::to_owned)
                    .to_vec(),
                interval: Duration::from_secs(30),
                timeout: Duration::from_secs(5),
                retries: 3,
                start_period: Duration::ZERO,
            })
        );
        assert_eq!(Check::of(&ContainerDefinition::builder().build()), None);
    }

    #[test]
    fn health_is_what_the_checks_add_up_to() {
        // Each check is a letter, five seconds apart: p for passed, f for failed; and H, U or ? for what follows.
        for (retries, start_period, checks, expected) in [
            (3, 0, "p", "H"),
            (3, 0, "fffp", "??UH"),
            (3, 0, "ffpff", "??HHH"),
            (3, 0, "pffpfff", "HHHHHHU"),
            (1, 0, "fp", "UH"),
            (2, 20, "fffff", "????U"),
            (2, 20, "fpff", "?HHU"),
        ] {
            let check = check(retries, start_period);
            let mut course = Course::begin();
            let mut age = Duration::ZERO;
            let seen: String = checks
                .chars()
                .map(|letter| {
                    age += check.interval;
                    match course.take(&check, letter == 'p', age) {
                        Health::Unknown => '?',
                        Health::Healthy => 'H',
                        Health::Unhealthy => 'U',
                    }
                })
                .collect();
            assert_eq!(seen, expected, "{checks} with {retries} retries after {start_period} s");
        }
    }

    #[test]
    fn a_command_is_taken_as_it_is_meant() {
        for (given, expected) in [
            (vec!["CMD", "/app/health", "--now"], Some(vec!["/app/health", "--now"])),
            (vec!["/app/health"], Some(vec!["/app/health"])),
            (vec!["NONE"], None),
            (vec![], None),
        ] {
            let words: Vec<String> = given.iter().map(|&word| word.to_owned()).collect();
            let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(command(&words), expected, "{given:?}");
        }
    }
}
