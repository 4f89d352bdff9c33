//! ARNs and identifiers of Amazon ECS, and the short forms that callers may use instead.

use rand::Rng as _;

/// Where resources of a call live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
}

impl Place<'_> {
    fn arn(self, resource: &str) -> String {
        format!("arn:aws:ecs:{}:{}:{resource}", self.region, self.account)
    }

    pub(crate) fn cluster(self, name: &str) -> String {
        self.arn(&format!("cluster/{name}"))
    }

    pub(crate) fn service(self, cluster: &str, name: &str) -> String {
        self.arn(&format!("service/{cluster}/{name}"))
    }

    pub(crate) fn task(self, cluster: &str, id: &str) -> String {
        self.arn(&format!("task/{cluster}/{id}"))
    }

    pub(crate) fn container(self, cluster: &str, task: &str) -> String {
        self.arn(&format!("container/{cluster}/{task}/{}", uuid::Uuid::new_v4()))
    }

    pub(crate) fn task_definition(self, family: &str, revision: i32) -> String {
        self.arn(&format!("task-definition/{family}:{revision}"))
    }

    pub(crate) fn service_deployment(self, cluster: &str, service: &str) -> String {
        self.arn(&format!("service-deployment/{cluster}/{service}/{}", letters(21)))
    }

    pub(crate) fn service_revision(self, cluster: &str, service: &str) -> String {
        self.arn(&format!("service-revision/{cluster}/{service}/{}", digits()))
    }
}

/// The last part of an ARN or of a path, or the text itself: callers may give either.
pub(crate) fn last(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

/// Cluster and name out of `…:service/cluster/name`, or the name alone.
pub(crate) fn service_parts(text: &str) -> (Option<&str>, &str) {
    match text
        .rsplit_once(':')
        .map_or(text, |(_, resource)| resource)
        .split('/')
        .collect::<Vec<_>>()[..]
    {
        ["service", cluster, name] => (Some(cluster), name),
        ["service", name] => (None, name),
        _ => (None, text),
    }
}

/// Family and revision out of `arn:…:task-definition/family:3`, `family:3` or `family` (the newest active one).
pub(crate) fn task_definition_parts(text: &str) -> (&str, Option<i32>) {
    let short = text.rsplit_once("task-definition/").map_or(text, |(_, short)| short);
    match short.rsplit_once(':') {
        Some((family, revision)) => match revision.parse() {
            Ok(revision) => (family, Some(revision)),
            Err(_) => (short, None),
        },
        None => (short, None),
    }
}

/// A task id: 32 hexadecimal digits.
pub(crate) fn task_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// A deployment id inside a service, as in `ecs-svc/1234567890123456789`.
pub(crate) fn deployment_id() -> String {
    format!("ecs-svc/{}", digits())
}

fn digits() -> u64 {
    rand::rng().random_range(1_000_000_000_000_000_000..10_000_000_000_000_000_000)
}

fn letters(count: usize) -> String {
    rand::rng()
        .sample_iter(rand::distr::Alphanumeric)
        .take(count)
        .map(char::from)
        .collect()
}

/// Up to 255 letters, digits, hyphens and underscores, as for clusters, services and families.
pub(crate) fn is_valid(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_forms_are_the_same_thing() {
        assert_eq!(
            service_parts("arn:aws:ecs:eu-central-1:000000000000:service/prod/web"),
            (Some("prod"), "web")
        );
        assert_eq!(service_parts("web"), (None, "web"));
        assert_eq!(
            task_definition_parts("arn:aws:ecs:eu-central-1:000000000000:task-definition/web:3"),
            ("web", Some(3))
        );
        assert_eq!(task_definition_parts("web:3"), ("web", Some(3)));
        assert_eq!(task_definition_parts("web"), ("web", None));
        assert_eq!(last("arn:aws:ecs:eu-central-1:000000000000:cluster/prod"), "prod");
    }
}
