//! The names of load balancing resources, formed as AWS forms them (Service Authorization Reference, "Actions, resources,
//! and condition keys for Elastic Load Balancing V2").

use rand::Rng as _;

/// Where a resource lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) region: String,
    pub(super) account: String,
}

impl Place {
    pub(super) fn load_balancer(&self, name: &str) -> String {
        self.arn(&format!("loadbalancer/app/{name}/{}", id()))
    }

    pub(super) fn target_group(&self, name: &str) -> String {
        self.arn(&format!("targetgroup/{name}/{}", id()))
    }

    fn arn(&self, resource: &str) -> String {
        let Self { region, account } = self;
        format!("arn:aws:elasticloadbalancing:{region}:{account}:{resource}")
    }
}

/// A listener of this load balancer.
pub(super) fn listener(load_balancer: &str) -> String {
    format!("{}/{}", load_balancer.replacen(":loadbalancer/", ":listener/", 1), id())
}

/// A rule of this listener.
pub(super) fn rule(listener: &str) -> String {
    format!("{}/{}", listener.replacen(":listener/", ":listener-rule/", 1), id())
}

/// The region an ARN names, empty when it is none.
pub(super) fn region(arn: &str) -> &str {
    arn.split(':').nth(3).unwrap_or_default()
}

/// What CloudWatch calls a load balancer: `app/name/id`.
pub(super) fn load_balancer_dimension(arn: &str) -> String {
    arn.split_once(":loadbalancer/")
        .map_or(arn, |(_, rest)| rest)
        .to_owned()
}

/// What CloudWatch calls a target group: `targetgroup/name/id`.
pub(super) fn target_group_dimension(arn: &str) -> String {
    arn.rsplit(':').next().unwrap_or(arn).to_owned()
}

fn id() -> String {
    format!("{:016x}", rand::rng().random::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_nest_and_give_the_dimensions_of_cloudwatch() {
        let place = Place {
            region: String::from("eu-central-1"),
            account: String::from("000000000000"),
        };
        let balancer = place.load_balancer("front");
        let listener = listener(&balancer);
        let rule = rule(&listener);
        assert!(balancer.starts_with("arn:aws:elasticloadbalancing:eu-central-1:000000000000:loadbalancer/app/front/"));
        assert!(listener.contains(":listener/app/front/"));
        assert!(rule.contains(":listener-rule/app/front/"));
        assert_eq!(rule.split('/').count(), 6);
        assert_eq!(region(&rule), "eu-central-1");
        assert!(load_balancer_dimension(&balancer).starts_with("app/front/"));
        assert!(target_group_dimension(&place.target_group("blue")).starts_with("targetgroup/blue/"));
    }
}
